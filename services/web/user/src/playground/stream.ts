import { ofEntry } from '@llm-platform/shared';
import type { Answer } from './chat';

/** The data of server-sent events, however the network cuts them. */
export async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split(/\r?\n/);
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith('data:')) yield line.slice(5).trim();
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

interface Chunk {
  error?: unknown;
  choices?: {
    delta?: {
      content?: string | null;
      tool_calls?: { index?: number; function?: { name?: string; arguments?: string } }[];
    };
  }[];
  usage?: { prompt_tokens?: number; completion_tokens?: number } | null;
}

/** An answer with what one event adds to it. */
export function withEvent(answer: Answer, data: string): Answer {
  if (data === '[DONE]') return answer;
  const chunk = JSON.parse(data) as Chunk;
  if (chunk.error) return { ...answer, error: ofEntry(chunk.error).detail ?? 'The answer broke off.' };
  const next = { ...answer };
  const delta = chunk.choices?.[0]?.delta;
  if (delta?.content) next.text += delta.content;
  for (const call of delta?.tool_calls ?? []) {
    const at = call.index ?? 0;
    const before = next.toolCalls[at] ?? { name: '', arguments: '' };
    next.toolCalls = [...next.toolCalls];
    next.toolCalls[at] = {
      name: before.name + (call.function?.name ?? ''),
      arguments: before.arguments + (call.function?.arguments ?? ''),
    };
  }
  if (chunk.usage) {
    next.inputTokens = chunk.usage.prompt_tokens ?? 0;
    next.outputTokens = chunk.usage.completion_tokens ?? 0;
  }
  return next;
}
