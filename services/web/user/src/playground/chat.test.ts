import { describe, expect, it } from 'vitest';
import { requestOf, settingsProblems, type Settings, type Turn } from './chat';

const SETTINGS: Settings = { system: '', temperature: '', maxTokens: '', tools: '' };
const turn = (text: string, ...answers: string[]): Turn => ({
  id: 1,
  text,
  images: [],
  answers: answers.map(answer => ({ text: answer, toolCalls: [], running: false })),
});

describe('a request of the playground', () => {
  it('gives each column its own conversation', () => {
    const turns = [turn('one', 'from A', 'from B'), turn('two')];
    expect(requestOf('b', { ...SETTINGS, system: 'Be short.' }, turns, 1)).toEqual({
      model: 'b',
      messages: [
        { role: 'system', content: 'Be short.' },
        { role: 'user', content: 'one' },
        { role: 'assistant', content: 'from B' },
        { role: 'user', content: 'two' },
      ],
      stream: true,
    });
  });

  it('leaves out what was never answered', () => {
    expect(requestOf('a', SETTINGS, [turn('lost', ''), turn('again')], 0).messages).toEqual([
      { role: 'user', content: 'again' },
    ]);
  });

  it('sends images beside the text, and settings that are set', () => {
    const image = { name: 'a.png', url: 'data:image/png;base64,AA' };
    const request = requestOf(
      'a',
      { ...SETTINGS, temperature: '0', maxTokens: '10', tools: '[{"type":"function"}]' },
      [{ ...turn('what is it?'), images: [image] }],
      0,
    );
    expect(request).toMatchObject({ temperature: 0, max_tokens: 10, tools: [{ type: 'function' }] });
    expect(request.messages[0]).toMatchObject({
      content: [{ type: 'text' }, { image_url: { url: image.url } }],
    });
  });
});

it('says what is wrong with settings', () => {
  expect(settingsProblems(SETTINGS)).toEqual({});
  expect(settingsProblems({ ...SETTINGS, temperature: '3', maxTokens: '1.5', tools: '{}' })).toEqual({
    temperature: expect.any(String),
    maxTokens: expect.any(String),
    tools: 'This has to be a list: [ … ]',
  });
  expect(settingsProblems({ ...SETTINGS, tools: '[' }).tools).toBe('This is not JSON.');
});
