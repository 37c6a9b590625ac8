import { Text } from '@mantine/core';
import { Inbox, type LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import classes from './Placeholder.module.css';

interface EmptyProps {
  icon?: LucideIcon;
  title: string;
  children?: ReactNode;
  /** What to do about it. */
  action?: ReactNode;
}

/** In place of a list that has nothing yet. */
export function Empty({ icon: Icon = Inbox, title, children, action }: EmptyProps) {
  return (
    <div className={classes.placeholder}>
      <span className={classes.icon}>
        <Icon size={20} aria-hidden />
      </span>
      <Text fw={600}>{title}</Text>
      {children && (
        <Text c="dimmed" maw={440} component="div">
          {children}
        </Text>
      )}
      {action && <div className={classes.action}>{action}</div>}
    </div>
  );
}
