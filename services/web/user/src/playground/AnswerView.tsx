import { CopyButton, UnstyledButton } from '@mantine/core';
import { CodeBlock, Notice } from '@llm-platform/shared';
import { Wrench } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Answer } from './chat';
import classes from './Playground.module.css';

const FENCE = /```([\w+-]*)\n([\s\S]*?)(?:```|$)/g;

/** An answer as it comes: text, code, tool calls, and what it took. */
export function AnswerView({ answer }: { answer: Answer }) {
  const waiting = answer.running && !answer.text && answer.toolCalls.length === 0;
  return (
    <div className={classes.answer} aria-busy={answer.running}>
      {waiting && <span className={classes.cursor} aria-label="Waiting for the answer" role="img" />}
      {parts(answer.text).map((part, at) =>
        part.code === undefined ? (
          <p key={at}>{inline(part.text)}</p>
        ) : (
          <CodeBlock key={at} code={part.code} label={part.text ? `${part.text} code` : 'code'} />
        ),
      )}
      {answer.toolCalls.map((call, at) => (
        <div key={at} className={classes.tool}>
          <span>
            <Wrench size={14} aria-hidden /> {call.name}
          </span>
          <code>{call.arguments}</code>
        </div>
      ))}
      {answer.error && <Notice kind="error">{answer.error}</Notice>}
      {!answer.running && (
        <div className={classes.facts}>
          {answer.stopped && <span>Stopped</span>}
          {answer.firstTokenMs !== undefined && <span>First token {seconds(answer.firstTokenMs)}</span>}
          {answer.totalMs !== undefined && <span>Total {seconds(answer.totalMs)}</span>}
          {answer.outputTokens !== undefined && (
            <span>
              {answer.inputTokens} → {answer.outputTokens} tokens
            </span>
          )}
          {answer.text && (
            <CopyButton value={answer.text}>
              {({ copied, copy }) => (
                <UnstyledButton onClick={copy}>{copied ? 'Copied' : 'Copy'}</UnstyledButton>
              )}
            </CopyButton>
          )}
        </div>
      )}
    </div>
  );
}

/** Bold text and code within a line; the rest is shown as it came. */
function inline(text: string): ReactNode[] {
  return text.split(/(\*\*[^*\n]+\*\*|`[^`\n]+`)/).map((piece, at) => {
    if (piece.startsWith('**') && piece.length > 4) return <strong key={at}>{piece.slice(2, -2)}</strong>;
    if (piece.startsWith('`') && piece.length > 2) return <code key={at}>{piece.slice(1, -1)}</code>;
    return piece;
  });
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;

/** Text and fenced code in turn; a fence that is still open is code already. */
function parts(text: string): { text: string; code?: string }[] {
  const found: { text: string; code?: string }[] = [];
  let end = 0;
  for (const match of text.matchAll(FENCE)) {
    if (match.index > end) found.push({ text: text.slice(end, match.index).trim() });
    found.push({ text: match[1] ?? '', code: match[2] ?? '' });
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push({ text: text.slice(end).trim() });
  return found.filter(part => part.text || part.code !== undefined);
}
