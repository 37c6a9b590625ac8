import { Status, type Tone } from '@llm-platform/shared';
import type { AuditEntry } from '../types';
import { RESULTS } from './words';

const TONES: Record<string, Tone> = { ok: 'good', refused: 'warning', failed: 'bad' };

export function ResultStatus({ of: { result, reason } }: { of: AuditEntry }) {
  return (
    <span title={reason}>
      <Status tone={TONES[result] ?? 'neutral'}>
        {RESULTS.find(({ value }) => value === result)?.label ?? result}
      </Status>
    </span>
  );
}
