import { nano } from '@llm-platform/shared/display/money';
import type { LedgerEntry } from '../types';

export interface RequestSummary {
  keyId: string;
  userId: string;
  /** Nano-dollars, corrections included. */
  cost: bigint;
  input: bigint;
  output: bigint;
  attempts: number;
  /** The providers that were tried, in their order. */
  route: string[];
  /** Of the last attempt; empty: none has ended. */
  result: string;
  certainty: string;
  provider: string;
  model: string;
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
  const open = reserved.size > 0;
  return {
    keyId: first.key_id,
    userId: first.user_id,
    cost: entries
      .filter(entry => entry.kind === 'settle' || entry.kind === 'adjust')
      .reduce((sum, entry) => sum + nano(entry.amount), 0n),
    input: settled.reduce((sum, entry) => sum + nano(entry.usage?.input_tokens), 0n),
    output: settled.reduce((sum, entry) => sum + nano(entry.usage?.output_tokens), 0n),
    attempts: settled.length,
    route: settled.map(entry => entry.provider).filter((name, at, all) => name !== all[at - 1]),
    result: settled.at(-1)?.result ?? '',
    certainty: settled.at(-1)?.certainty ?? '',
    provider: last.provider,
    model: last.model,
    open,
  };
}
