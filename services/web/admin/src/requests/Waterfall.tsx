import { Notice } from '@llm-platform/shared';
import type { CSSProperties } from 'react';
import { durationWords, type Course, type Hop } from './course';
import classes from './Waterfall.module.css';

/** Where the time of a request went: a line for each hop. */
export function Waterfall({ course }: { course: Course }) {
  return (
    <>
      <ol className={classes.hops}>
        {course.hops.map(hop => (
          <li key={hop.key} className={classes.hop}>
            <span className={classes.label}>{label(hop)}</span>
            <span className={classes.track} aria-hidden>
              <Bar hop={hop} length={course.length} />
            </span>
            <span className={`${classes.words} numeric`}>{words(hop)}</span>
          </li>
        ))}
      </ol>
      <p className={classes.legend}>
        <span className={classes.key} data-part="platform" aria-hidden /> platform
        <span className={classes.key} data-part="wait" aria-hidden /> waiting for the provider
        <span className={classes.key} data-part="answer" aria-hidden /> its answer
      </p>
      {course.clocksDiffer && (
        <Notice kind="info" title="The clocks of the hosts differ">
          Each service has written down its own time, so what lies between two hops is not exact here. How
          long an attempt took is measured by one clock.
        </Notice>
      )}
    </>
  );
}

function Bar({ hop, length }: { hop: Hop; length: number }) {
  const part = (from: number, to: number): CSSProperties => ({
    left: `${(100 * from) / length}%`,
    width: `${(100 * Math.max(0, to - from)) / length}%`,
  });
  const { start, wait, duration } = hop;
  const end = start + (duration ?? 0);
  if (hop.kind !== 'attempt') return <span data-part="platform" style={part(start, end)} />;
  if (duration === undefined) return <span data-part="unknown" style={part(start, start)} />;
  const answered = start + (wait ?? duration);
  return (
    <>
      <span data-part="wait" style={part(start, answered)} />
      {wait !== undefined && <span data-part="answer" style={part(answered, end)} />}
    </>
  );
}

function label(hop: Hop): string {
  if (hop.kind === 'check') return 'Checked and routed';
  if (hop.kind === 'send') return `On its way to ${hop.provider}`;
  return `Attempt ${hop.attempt} at ${hop.provider}`;
}

function words({ kind, wait, duration }: Hop): string {
  if (duration === undefined) return 'its end is not known';
  if (kind !== 'attempt') return durationWords(duration);
  if (wait === undefined) return `${durationWords(duration)}, nothing came`;
  return `${durationWords(duration)}, first byte after ${durationWords(wait)}`;
}
