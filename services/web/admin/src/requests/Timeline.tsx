import { absolute, CopyText, exactCount, Money, nano } from '@llm-platform/shared';
import type { LedgerEntry } from '../types';
import { certaintyWords, Result } from './words';
import classes from './Requests.module.css';

/** What happened to a request, entry by entry. */
export function Timeline({ entries }: { entries: readonly LedgerEntry[] }) {
  const begin = Date.parse(entries[0]!.created_at);
  return (
    <ol className={classes.timeline}>
      {entries.map(entry => (
        <li key={entry.sequence}>
          <span className={classes.dot} data-kind={entry.kind} aria-hidden />
          <div>
            <Happened entry={entry} />
          </div>
          <time
            className={`${classes.when} numeric`}
            dateTime={entry.created_at}
            title={absolute(entry.created_at)}
          >
            +{exactCount(Math.max(0, Math.round(Date.parse(entry.created_at) - begin)))} ms
          </time>
        </li>
      ))}
    </ol>
  );
}

function Happened({ entry }: { entry: LedgerEntry }) {
  const amount = <Money amount={entry.amount} />;
  const where = `${entry.provider} / ${entry.model}`;
  switch (entry.kind) {
    case 'reserve':
      return (
        <>
          <div>Reserved {amount}, the most that it can cost</div>
          <div className={classes.under}>
            {where} · price {entry.price_revision || 'not known'}
          </div>
        </>
      );
    case 'settle':
      return (
        <>
          <div>
            Attempt {entry.attempt_id.split('-').at(-1)} at {entry.provider} cost {amount}{' '}
            <span className={classes.result}>
              <Result of={entry.result} open={false} />
            </span>
          </div>
          <div className={classes.under}>
            {where} · {tokens(entry)} · {certaintyWords(entry.certainty).toLowerCase()}
            {entry.status > 0 && ` · HTTP ${entry.status}`}
          </div>
          {entry.provider_request_id && (
            <div className={classes.under}>
              Its own id <CopyText value={entry.provider_request_id} />
            </div>
          )}
        </>
      );
    case 'adjust':
      return (
        <>
          <div>Corrected by {amount}</div>
          <div className={classes.under}>Held against the provider’s own books</div>
        </>
      );
    case 'release':
      return <div>Gave back the reservation of {amount}</div>;
    default:
      return (
        <div>
          {entry.kind} {amount}
        </div>
      );
  }
}

const PARTS = [
  ['cached_input_tokens', 'cached'],
  ['cache_write_tokens', 'written to the cache'],
  ['reasoning_tokens', 'reasoning'],
  ['input_audio_tokens', 'audio in'],
  ['output_audio_tokens', 'audio out'],
] as const;

function tokens({ usage }: LedgerEntry): string {
  if (!usage) return 'no tokens';
  const parts = PARTS.filter(([name]) => nano(usage[name]) > 0n).map(
    ([name, words]) => `${exactCount(usage[name])} ${words}`,
  );
  const all = `${exactCount(usage.input_tokens)} tokens in, ${exactCount(usage.output_tokens)} out`;
  return parts.length ? `${all} (${parts.join(', ')})` : all;
}
