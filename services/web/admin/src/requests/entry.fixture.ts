import type { LedgerEntry } from '../types';

/** An entry of the ledger, for tests. */
export const entry = (kind: string, more: Partial<LedgerEntry> = {}): LedgerEntry => ({
  sequence: '1',
  kind,
  reservation_id: 'rsv_1',
  attempt_id: '',
  key_id: 'key',
  provider: 'echo',
  model: 'echo',
  amount: '0',
  certainty: '',
  result: '',
  price_revision: '',
  created_at: '2026-01-01T00:00:00.000Z',
  request_id: 'req_1',
  user_id: 'usr_1',
  status: 0,
  sent_at: '',
  first_byte_us: '0',
  duration_us: '0',
  provider_request_id: '',
  ...more,
});
