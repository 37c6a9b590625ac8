import type { ReactNode } from 'react';
import classes from './Status.module.css';

export type Tone = 'good' | 'warning' | 'bad' | 'neutral';

/** A state in a word; never told by its colour alone. */
export function Status({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className={classes.status} data-tone={tone}>
      {children}
    </span>
  );
}
