import type { Request } from '../quick-start/snippets';

export interface Image {
  name: string;
  /** data: URL */
  url: string;
}

export interface ToolCall {
  name: string;
  arguments: string;
}

/** What has come of an answer so far. */
export interface Answer {
  text: string;
  toolCalls: ToolCall[];
  running: boolean;
  error?: string;
  stopped?: boolean;
  inputTokens?: number;
  outputTokens?: number;
  /** Milliseconds from sending. */
  firstTokenMs?: number;
  totalMs?: number;
}

/** A message and what each column answered. */
export interface Turn {
  id: number;
  text: string;
  images: Image[];
  answers: Answer[];
}

export interface Settings {
  system: string;
  temperature: string;
  maxTokens: string;
  /** JSON, as the OpenAI API has it. */
  tools: string;
}

export const EMPTY_ANSWER: Answer = { text: '', toolCalls: [], running: true };

/** What is wrong with the settings, by field. */
export function settingsProblems(settings: Settings): Partial<Record<keyof Settings, string>> {
  const problems: Partial<Record<keyof Settings, string>> = {};
  const temperature = Number(settings.temperature);
  if (settings.temperature && !(temperature >= 0 && temperature <= 2)) problems.temperature = 'From 0 to 2';
  if (settings.maxTokens && !/^[1-9]\d{0,6}$/.test(settings.maxTokens))
    problems.maxTokens = 'A whole number from 1';
  if (settings.tools.trim()) {
    try {
      if (!Array.isArray(JSON.parse(settings.tools))) problems.tools = 'This has to be a list: [ … ]';
    } catch {
      problems.tools = 'This is not JSON.';
    }
  }
  return problems;
}

/** The request for the answer of a column to the last of the turns; earlier ones that failed are left out. */
export function requestOf(
  model: string,
  settings: Settings,
  turns: readonly Turn[],
  column: number,
): Request {
  const messages: unknown[] = settings.system.trim() ? [{ role: 'system', content: settings.system }] : [];
  turns.forEach((turn, at) => {
    const answer = turn.answers[column];
    const last = at === turns.length - 1;
    if (!last && !answer?.text) return;
    messages.push({ role: 'user', content: contentOf(turn) });
    if (!last && answer) messages.push({ role: 'assistant', content: answer.text });
  });
  return {
    model,
    messages,
    ...(settings.temperature && { temperature: Number(settings.temperature) }),
    ...(settings.maxTokens && { max_tokens: Number(settings.maxTokens) }),
    ...(settings.tools.trim() && { tools: JSON.parse(settings.tools) as unknown }),
    stream: true,
  };
}

function contentOf({ text, images }: Turn): unknown {
  if (images.length === 0) return text;
  return [
    { type: 'text', text },
    ...images.map(image => ({ type: 'image_url', image_url: { url: image.url } })),
  ];
}
