import { Count, Notice, Section, Stat, Stats } from '@llm-platform/shared';
import { durationWords } from '../requests/course';
import type { Overview, Percentiles } from '../types';
import { countedWords, faultCounts, shareWords } from './traffic';
import classes from './LastHour.module.css';

/** How it went in the last hour, as the entries have counted it. */
export function LastHour({ overview }: { overview: Overview | undefined }) {
  const traffic = overview?.traffic;
  if (overview && !traffic)
    return (
      <Section title="The last hour">
        <Notice kind="warning">No entry says what it has answered.</Notice>
      </Section>
    );
  const faults = traffic && faultCounts(traffic.errors);
  const failed = faults?.reduce((sum, { count }) => sum + count, 0) ?? 0;
  return (
    <Section title="The last hour" description={traffic && countedWords(traffic, new Date(overview.at))}>
      <Stats>
        <Stat
          label="Requests"
          value={traffic && <Count of={traffic.requests} />}
          note={traffic && shareWords(failed, traffic.requests)}
        />
        <Stat
          label="Whole answer"
          value={traffic && half(traffic.duration)}
          note={traffic?.duration && `95 % within ${durationWords(traffic.duration.p95_ms)}`}
        />
        <Stat
          label="First byte of an answer"
          value={traffic && half(traffic.first_byte)}
          note={traffic?.first_byte && `95 % within ${durationWords(traffic.first_byte.p95_ms)}`}
        />
      </Stats>
      {faults && failed > 0 && (
        <ul className={classes.faults} aria-label="Failures by fault">
          {faults.map(({ fault, words, hint, count }) => (
            <li key={fault} data-none={count === 0 || undefined}>
              <strong className="numeric">
                <Count of={count} />
              </strong>{' '}
              {words}
              {hint && <span className={classes.hint}>{hint}</span>}
            </li>
          ))}
        </ul>
      )}
      {traffic && traffic.silent.length > 0 && (
        <Notice kind="info">{traffic.silent.join(' and ')} did not answer, and is not counted.</Notice>
      )}
    </Section>
  );
}

/** The time within which half of them were there: an estimate by the metrics' buckets. */
function half(percentiles: Percentiles | null): string {
  return percentiles ? `≈ ${durationWords(percentiles.p50_ms)}` : '–';
}
