import { Group, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './Section.module.css';

interface SectionProps {
  title?: string;
  description?: ReactNode;
  actions?: ReactNode;
  /** Its content reaches to the edges: a table. */
  flush?: boolean;
  children: ReactNode;
}

/** A part of a page with a frame of its own. */
export function Section({ title, description, actions, flush, children }: SectionProps) {
  return (
    <section className={classes.section} {...(title && { 'aria-label': title })}>
      {(title || actions) && (
        <Group justify="space-between" gap="sm" className={classes.head!}>
          <div>
            {title && <Title order={2}>{title}</Title>}
            {description && (
              <Text c="dimmed" size="sm" component="div">
                {description}
              </Text>
            )}
          </div>
          {actions}
        </Group>
      )}
      <div className={flush ? undefined : classes.body}>{children}</div>
    </section>
  );
}
