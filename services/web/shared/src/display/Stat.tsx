import { Skeleton } from '@mantine/core';
import { createContext, useContext, type ReactNode } from 'react';
import classes from './Stat.module.css';

interface StatProps {
  label: string;
  /** Undefined while it is not there. */
  value?: ReactNode;
  /** A line that sets it in relation. */
  note?: ReactNode;
}

interface StatsProps {
  children: ReactNode;
  /** What is not there yet could not be had: nothing is on its way. */
  failed?: boolean;
}

const Failed = createContext(false);

/** Numbers that matter, in one row. */
export function Stats({ children, failed = false }: StatsProps) {
  return (
    <Failed value={failed}>
      <dl className={classes.stats}>{children}</dl>
    </Failed>
  );
}

export function Stat({ label, value, note }: StatProps) {
  const failed = useContext(Failed);
  return (
    <div className={classes.stat}>
      <dt>{label}</dt>
      <dd className={classes.value}>
        {value ?? (failed ? '–' : <Skeleton height={26} width={90} my={3} />)}
      </dd>
      {note && <dd className={classes.note}>{note}</dd>}
    </div>
  );
}
