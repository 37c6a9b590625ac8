import { Autocomplete, Button, Group, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { api, describe, Notice, Section, useFilters } from '@llm-platform/shared';
import { ArrowRight, FlaskConical } from 'lucide-react';
import { useEffect, useState } from 'react';
import { Facts } from '../display/Facts';
import type { Decision } from '../types';
import classes from './DryRun.module.css';

/** Asks where a call of a model would go, without making one. */
export function DryRun({ models }: { models: string[] }) {
  const [{ model }, setFilters] = useFilters({ model: '' });
  const [typed, setTyped] = useState(model);
  const decide = useMutation({
    mutationFn: (asked: string) => api.post<Decision>('/api/routing:decide', { model: asked }),
    meta: { shown: true },
  });
  const { mutate } = decide;
  useEffect(() => {
    if (model) mutate(model);
  }, [model, mutate]);
  const ask = () => {
    const asked = typed.trim();
    if (asked === model && asked) mutate(asked);
    else setFilters({ model: asked });
  };
  return (
    <Section title="Try a decision" description="As for a call that comes in now. No provider is called.">
      <form
        onSubmit={event => {
          event.preventDefault();
          ask();
        }}
      >
        <Group align="flex-end" gap="xs" mb={decide.data || decide.error ? 'lg' : 0}>
          <Autocomplete
            label="Model"
            placeholder="As a program would name it"
            data={models}
            value={typed}
            onChange={setTyped}
            className={classes.model!}
          />
          <Button
            type="submit"
            leftSection={<FlaskConical size={15} />}
            loading={decide.isPending}
            disabled={!typed.trim()}
          >
            Decide
          </Button>
        </Group>
      </form>
      {decide.error && <Notice kind="error">{describe(decide.error)}</Notice>}
      {decide.data && <Explained decision={decide.data} asked={decide.variables} />}
    </Section>
  );
}

function Explained({ decision, asked }: { decision: Decision; asked: string }) {
  const { primary, fallback, matched_rules, strategy, decision_id } = decision;
  return (
    <div aria-live="polite">
      <div className={classes.route}>
        <Step label="Asked for" name={asked} />
        <ArrowRight size={18} aria-hidden />
        {primary ? (
          <Step label="Goes to" name={primary.provider} under={primary.upstream_model} />
        ) : (
          <Step label="Goes to" name="nobody" />
        )}
        {fallback && (
          <>
            <ArrowRight size={18} aria-hidden />
            <Step label="If that fails" name={fallback.provider} under={fallback.upstream_model} />
          </>
        )}
      </div>
      <Facts
        items={[
          ['Strategy', strategy || 'None'],
          [
            'Rules that matched',
            matched_rules.length ? matched_rules.join(', ') : 'None: the order of the providers',
          ],
          ['Decision', <span className="mono">{decision_id}</span>],
        ]}
      />
    </div>
  );
}

function Step({ label, name, under }: { label: string; name: string; under?: string }) {
  return (
    <div className={classes.step}>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text fw={600}>{name}</Text>
      {under && under !== name && <span className="mono">{under}</span>}
    </div>
  );
}
