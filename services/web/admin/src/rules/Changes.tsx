import { Badge, Text, Title } from '@mantine/core';
import { ArrowRight } from 'lucide-react';
import type { RuleChange } from '../types';
import { grouped, kindOf, type Told } from './changes';
import classes from './Rules.module.css';

const COLOURS = { added: 'accent', removed: 'red', changed: 'gray' };

/** What a revision changed, provider by provider: what was, and what is. */
export function Changes({ of: changes }: { of: readonly RuleChange[] }) {
  if (changes.length === 0) return <Text c="dimmed">Nothing: it says what the one before says.</Text>;
  return grouped(changes).map(([provider, all]) => (
    <section key={provider} className={classes.group}>
      <Title order={3}>
        {provider || 'All providers'}
        {provider && (
          <Badge variant="light" color={COLOURS[kindOf(all)]}>
            {kindOf(all)}
          </Badge>
        )}
      </Title>
      {all.map(change => (
        <div key={change.field} className={classes.change}>
          <span>{change.field}</span>
          <Values of={change} />
        </div>
      ))}
    </section>
  ));
}

function Values({ of: { before, after } }: { of: Told }) {
  return (
    <span className={classes.values}>
      {before !== undefined && <del>{before || 'empty'}</del>}
      {before !== undefined && after !== undefined && <ArrowRight size={14} aria-label="to" />}
      {after !== undefined && <ins>{after || 'empty'}</ins>}
    </span>
  );
}
