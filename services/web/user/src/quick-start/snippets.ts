/** A request of the OpenAI API as programs send it. */

export type Language = 'curl' | 'python' | 'node';

export const LANGUAGES: readonly { value: Language; label: string }[] = [
  { value: 'curl', label: 'curl' },
  { value: 'python', label: 'Python' },
  { value: 'node', label: 'Node' },
];

export interface Request {
  model: string;
  messages: readonly unknown[];
  temperature?: number;
  max_tokens?: number;
  tools?: unknown;
  stream?: boolean;
}

const KEY = 'LLM_API_KEY';

/** The key is read from the environment: it stands in no code. */
export function snippet(language: Language, entryUrl: string, request: Request): string {
  const base = `${entryUrl.replace(/\/+$/, '')}/v1`;
  if (language === 'curl') return curl(base, request);
  return language === 'python' ? python(base, request) : node(base, request);
}

function curl(base: string, request: Request): string {
  const body = JSON.stringify(request, null, 2).replaceAll("'", "'\\''");
  return [
    `curl${request.stream ? ' --no-buffer' : ''} ${base}/chat/completions \\`,
    `  --header "Authorization: Bearer $${KEY}" \\`,
    `  --header "Content-Type: application/json" \\`,
    `  --data '${body}'`,
  ].join('\n');
}

function python(base: string, request: Request): string {
  const head = [
    'import os',
    'from openai import OpenAI',
    '',
    `client = OpenAI(base_url=${JSON.stringify(base)}, api_key=os.environ["${KEY}"])`,
    '',
  ];
  const call = `client.chat.completions.create(${fields(request, '=', value => literal(value, 1))})`;
  const use = request.stream
    ? [
        `stream = ${call}`,
        'for chunk in stream:',
        '    if chunk.choices:',
        '        print(chunk.choices[0].delta.content or "", end="", flush=True)',
      ]
    : [`answer = ${call}`, 'print(answer.choices[0].message.content)'];
  return [...head, ...use].join('\n');
}

function node(base: string, request: Request): string {
  const head = [
    "import OpenAI from 'openai';",
    '',
    `const client = new OpenAI({ baseURL: ${JSON.stringify(base)}, apiKey: process.env.${KEY} });`,
    '',
  ];
  const call = `client.chat.completions.create(${JSON.stringify(request, null, 2)})`;
  const use = request.stream
    ? [
        `const stream = await ${call};`,
        'for await (const chunk of stream) {',
        "  process.stdout.write(chunk.choices[0]?.delta?.content ?? '');",
        '}',
      ]
    : [`const answer = await ${call};`, 'console.log(answer.choices[0].message.content);'];
  return [...head, ...use].join('\n');
}

function fields(request: Request, sign: string, write: (value: unknown) => string): string {
  const lines = Object.entries(request)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `    ${name}${sign}${write(value)},`);
  return `\n${lines.join('\n')}\n`;
}

/** A JSON value in Python's spelling. */
export function literal(value: unknown, depth = 0): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value !== 'object') return JSON.stringify(value);
  const inner = '    '.repeat(depth + 1);
  const entries = Array.isArray(value)
    ? value.map(item => `${inner}${literal(item, depth + 1)},`)
    : Object.entries(value).map(
        ([name, item]) => `${inner}${JSON.stringify(name)}: ${literal(item, depth + 1)},`,
      );
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return entries.length
    ? `${open}\n${entries.join('\n')}\n${'    '.repeat(depth)}${close}`
    : `${open}${close}`;
}
