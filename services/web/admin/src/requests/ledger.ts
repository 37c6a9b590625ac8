import { nano } from '@llm-platform/shared/display/money';
import type { LedgerEntry } from '../types';

export interface RequestSummary {
  keyId: string;
  /** Nano-dollars, corrections included. */
  cost: bigint;
  input: bigint;
  output: bigint;
  attempts: number;
  /** Of the last attempt; empty: none has ended. */
  result: string;
  certainty: string;
  provider: string;
  model: string;
  /** Milliseconds from the reservation to the last entry; undefined while it is open. */
  milliseconds: number | undefined;
  open: boolean;
}

/** What the entries of one request come to. */
export function summarize(entries: readonly LedgerEntry[]): RequestSummary {
  const settled = entries.filter(entry => entry.kind === 'settle');
  const last = settled.at(-1) ?? entries.at(-1)!;
  const reserved = new Set(
    entries.filter(entry => entry.kind === 'reserve').map(entry => entry.reservation_id),
  );
  for (const entry of entries) if (entry.kind === 'release') reserved.delete(entry.reservation_id);
  const first = entries[0]!;
  const end = entries.filter(entry => entry.kind !== 'adjust').at(-1)!;
  const open = reserved.size > 0;
  return {
    keyId: first.key_id,
    cost: entries
      .filter(entry => entry.kind === 'settle' || entry.kind === 'adjust')
      .reduce((sum, entry) => sum + nano(entry.amount), 0n),
    input: settled.reduce((sum, entry) => sum + nano(entry.usage?.input_tokens), 0n),
    output: settled.reduce((sum, entry) => sum + nano(entry.usage?.output_tokens), 0n),
    attempts: settled.length,
    result: settled.at(-1)?.result ?? '',
    certainty: settled.at(-1)?.certainty ?? '',
    provider: last.provider,
    model: last.model,
    milliseconds: open ? undefined : Date.parse(end.created_at) - Date.parse(first.created_at),
    open,
  };
}
