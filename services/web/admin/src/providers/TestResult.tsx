import { describe, exactCount, Notice } from '@llm-platform/shared';
import { sentence } from '../display/words';
import type { TestReport } from '../types';
import classes from './ProviderDialog.module.css';

const SHOWN = 6;

/** What a provider answered when it was asked for its models. */
export function TestResult({ report, error }: { report: TestReport | undefined; error: unknown }) {
  if (error) return <Notice kind="error">{describe(error)}</Notice>;
  if (!report) return null;
  const { ok, detail, status, milliseconds, models } = report;
  const named = models.slice(0, SHOWN).join(', ');
  return (
    <Notice kind={ok ? 'success' : 'error'} title={ok ? 'The provider answers' : 'That did not work'}>
      {sentence(detail)}
      <div className={classes.facts}>
        {status > 0 && <span>HTTP {status}</span>}
        <span>{exactCount(milliseconds)} ms</span>
        {models.length > 0 && (
          <span>
            {models.length} {models.length === 1 ? 'model' : 'models'}: {named}
            {models.length > SHOWN && ' …'}
          </span>
        )}
      </div>
    </Notice>
  );
}
