import { describe, expect, it } from 'vitest';
import { literal, snippet } from './snippets';

const REQUEST = { model: 'gpt-4o', messages: [{ role: 'user', content: 'It\'s "new"\n$(whoami)' }] };
const URL = 'https://llm.example.com/';

describe('snippets', () => {
  it('keeps the shell from reading the text', () => {
    const code = snippet('curl', URL, REQUEST);
    expect(code).toContain('curl https://llm.example.com/v1/chat/completions');
    const body = /--data '([\s\S]*)'$/.exec(code)![1]!.replaceAll("'\\''", "'");
    expect(JSON.parse(body)).toEqual(REQUEST);
    expect(code).not.toMatch(/It's/);
  });

  it('writes Python', () => {
    const code = snippet('python', URL, { ...REQUEST, stream: true, temperature: 0.2 });
    expect(code).toContain('base_url="https://llm.example.com/v1"');
    expect(code).toContain('    stream=True,\n    temperature=0.2,');
    expect(literal({ a: [true, null, {}], b: 'x' })).toBe(
      '{\n    "a": [\n        True,\n        None,\n        {},\n    ],\n    "b": "x",\n}',
    );
  });

  it('writes JavaScript that no text can leave', () => {
    const code = snippet('node', URL, REQUEST);
    expect(code).toContain(JSON.stringify(REQUEST, null, 2));
  });

  it('never holds a key', () => {
    for (const language of ['curl', 'python', 'node'] as const)
      expect(snippet(language, URL, REQUEST)).toContain('LLM_API_KEY');
  });
});
