import { describe, expect, it, vi } from 'vitest';
import { EMPTY_ANSWER } from './chat';
import { events, withEvent } from './stream';

vi.mock('@llm-platform/shared', () => ({
  ofEntry: (error: { message?: string }) => ({ detail: error.message }),
}));

function cut(text: string, size: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
}

describe('a streamed answer', () => {
  it.each([1, 3, 1000])('is the same in pieces of %d bytes', async size => {
    const text = 'data: {"a":"größer"}\r\n\r\n: comment\n\ndata: two\n\ndata: [DONE]\n\n';
    const seen: string[] = [];
    for await (const data of events(cut(text, size))) seen.push(data);
    expect(seen).toEqual(['{"a":"größer"}', 'two', '[DONE]']);
  });

  it('grows with text, tool calls and usage', () => {
    const answer = [
      { choices: [{ delta: { role: 'assistant', content: 'Hel' } }] },
      { choices: [{ delta: { content: 'lo' } }] },
      { choices: [{ delta: { tool_calls: [{ index: 0, function: { name: 'add', arguments: '{"a"' } }] } }] },
      { choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] } }] },
      { choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } },
    ].reduce((so_far, chunk) => withEvent(so_far, JSON.stringify(chunk)), EMPTY_ANSWER);
    expect(answer).toMatchObject({
      text: 'Hello',
      toolCalls: [{ name: 'add', arguments: '{"a":1}' }],
      inputTokens: 3,
      outputTokens: 4,
    });
    expect(withEvent(answer, '[DONE]')).toBe(answer);
  });

  it('keeps what came before it failed', () => {
    const answer = withEvent(
      { ...EMPTY_ANSWER, text: 'Half' },
      '{"error":{"message":"The provider failed."}}',
    );
    expect(answer).toMatchObject({ text: 'Half', error: 'The provider failed.' });
  });
});
