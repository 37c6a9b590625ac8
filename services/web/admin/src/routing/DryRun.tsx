import { Autocomplete, Button, Group, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { api, describe, Notice, Section, Status, useFilters, type Tone } from '@llm-platform/shared';
import { ArrowRight, FlaskConical } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { STRATEGIES } from '../rules/document';
import type { Decision, RoutingDocument } from '../types';
import classes from './DryRun.module.css';

interface Asked {
  asked: string;
  document: RoutingDocument | undefined;
}

const OUTCOMES: Record<string, string> = { chosen: 'Chosen', standby: 'Stands by', left_out: 'Left out' };
const TONES: Record<string, Tone> = { chosen: 'good', standby: 'neutral', left_out: 'neutral' };
const REJECTIONS: Record<string, string> = {
  model_unknown: 'No provider that takes calls serves this model: the call is refused.',
  no_provider_usable: 'Every provider that serves this model is down or has no key: the call is refused.',
};

interface DryRunProps {
  models: string[];
  /** Rules that are not saved; unset: those in force. */
  unsaved?: RoutingDocument;
}

/** Asks where a call of a model would go, without making one. */
export function DryRun({ models, unsaved }: DryRunProps) {
  const [{ model }, setFilters] = useFilters({ model: '' });
  const [typed, setTyped] = useState(model);
  const decide = useMutation({
    mutationFn: ({ asked, document }: Asked) =>
      api.post<Decision>('/api/routing:decide', {
        model: asked,
        explain: true,
        ...(document && { document }),
      }),
    meta: { shown: true },
  });
  const { mutate } = decide;
  const first = useRef(model);
  useEffect(() => {
    if (first.current) mutate({ asked: first.current, document: undefined });
  }, [mutate]);
  const ask = () => {
    const asked = typed.trim();
    setFilters({ model: asked });
    mutate({ asked, document: unsaved });
  };
  return (
    <Section
      title="Try a decision"
      description={
        unsaved
          ? 'By the rules as changed above, which are not saved yet. No provider is called.'
          : 'As for a call that comes in now. No provider is called.'
      }
    >
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
      {decide.data && <Explained decision={decide.data} of={decide.variables} />}
    </Section>
  );
}

function Explained({ decision, of: { asked, document } }: { decision: Decision; of: Asked }) {
  const { primary, fallback, strategy, explanation, rejection } = decision;
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
      {rejection && !primary && (
        <div className={classes.rejected}>
          <Notice kind="warning">{REJECTIONS[rejection] ?? rejection}</Notice>
        </div>
      )}
      <ul className={classes.reasons}>
        {explanation.map(({ provider, outcome, reason }) => (
          <li key={provider}>
            <Status tone={TONES[outcome] ?? 'neutral'}>{OUTCOMES[outcome] ?? outcome}</Status>
            <strong>{provider}</strong>
            <Text component="span" c="dimmed" inherit>
              {reason}
            </Text>
          </li>
        ))}
      </ul>
      <Text size="sm" c="dimmed">
        {document ? 'By the unsaved rules. ' : ''}
        Strategy: {STRATEGIES.find(({ value }) => value === strategy)?.label.toLowerCase() ?? strategy}.
      </Text>
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
