import { Skeleton } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './Stat.module.css';

interface StatProps {
  label: string;
  /** Undefined while it is loading. */
  value?: ReactNode;
  /** A line that sets it in relation. */
  note?: ReactNode;
}

/** Numbers that matter, in one row. */
export function Stats({ children }: { children: ReactNode }) {
  return <dl className={classes.stats}>{children}</dl>;
}

export function Stat({ label, value, note }: StatProps) {
  return (
    <div className={classes.stat}>
      <dt>{label}</dt>
      <dd className={classes.value}>{value ?? <Skeleton height={26} width={90} my={3} />}</dd>
      {note && <dd className={classes.note}>{note}</dd>}
    </div>
  );
}
