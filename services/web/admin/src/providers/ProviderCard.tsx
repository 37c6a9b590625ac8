import { Badge, Button, Group, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { confirm, Notice, RowMenu, Section, Status, useCan, type RowAction } from '@llm-platform/shared';
import { KeyRound, Pencil, PlugZap, Power, PowerOff, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { sentence } from '../display/words';
import { Facts } from '../display/Facts';
import { TextLink } from '../display/TextLink';
import { findProvider, partWords, withFields, withoutProvider } from '../rules/document';
import { changeRules, testProvider } from '../rules/rules';
import { SecretValueDialog } from '../secrets/SecretValueDialog';
import type { ProviderHealth, RoutingRevision, SecretInfo } from '../types';
import { circuitWords, ProviderState, scoreWords } from './health';
import { keyPath } from './keys';
import { ProviderDialog } from './ProviderDialog';
import { TestResult } from './TestResult';
import classes from './ProvidersPage.module.css';

interface ProviderCardProps {
  name: string;
  /** Unset: it is not served yet. */
  health: ProviderHealth | undefined;
  /** Nothing is known of anybody's health. */
  unknown: boolean;
  /** Unset: one may not see them. */
  rules: RoutingRevision | undefined;
  /** Its key; undefined: there is none yet, or one may not see it. */
  secret: SecretInfo | undefined;
}

export function ProviderCard({ name, health, unknown, rules, secret }: ProviderCardProps) {
  const can = useCan();
  const [dialog, setDialog] = useState<'key' | 'edit' | null>(null);
  const [all, setAll] = useState(false);
  const test = useMutation({ mutationFn: () => testProvider(name), meta: { shown: true } });
  const definition = findProvider(rules?.document, name);
  const type = definition?.type || health?.type || 'openai';
  const enabled = definition?.enabled ?? health?.enabled ?? true;
  const models = definition?.models.map(model => model.name) ?? health?.models ?? [];
  const shown = all ? models : models.slice(0, 8);
  const takesKey = type !== 'echo';
  const may = definition && can('PUT /api/routing');

  const toggle = () =>
    enabled
      ? confirm({
          title: `Disable ${name}?`,
          message: 'It takes no more calls. What is under way ends as it would. It can be enabled again.',
          action: 'Disable provider',
          onConfirm: () =>
            changeRules(document => withFields(document, name, { enabled: false }), `Disabled ${name}`),
        })
      : changeRules(document => withFields(document, name, { enabled: true }), `Enabled ${name}`);
  const enabling = useMutation({ mutationFn: async () => toggle() });
  const remove = () =>
    confirm({
      title: `Remove ${name}?`,
      message:
        'It takes no more calls, and models that nobody else serves are refused. Its key stays under Secrets, what it cost in the reports. A revision under Routing brings it back.',
      action: 'Remove provider',
      phrase: name,
      onConfirm: () => changeRules(document => withoutProvider(document, name), `Removed ${name}`),
    });
  const actions: RowAction[] = [
    ...(takesKey && can('PUT /api/secrets/{path...}')
      ? [
          {
            label: secret?.current_version ? 'Rotate key' : 'Set key',
            icon: KeyRound,
            onClick: () => setDialog('key'),
          },
        ]
      : []),
    ...(may
      ? [
          {
            label: enabled ? 'Disable…' : 'Enable',
            icon: enabled ? PowerOff : Power,
            onClick: () => enabling.mutate(),
          },
          { label: 'Remove…', icon: Trash2, dangerous: true, onClick: remove },
        ]
      : []),
  ];
  return (
    <Section>
      <Group justify="space-between" align="flex-start" mb="md" gap="sm">
        <div>
          <Group gap="xs">
            <h2 className={classes.name}>{name}</h2>
            <Badge variant="default">{type}</Badge>
          </Group>
          <Text size="sm" component="div" mt={2}>
            {unknown ? (
              <Status tone="neutral">Not known now</Status>
            ) : (
              <ProviderState of={health} enabled={enabled} />
            )}
          </Text>
        </div>
        <Group gap="xs">
          {health && can('POST /api/providers/{name}:test') && (
            <Button
              variant="default"
              leftSection={<PlugZap size={15} />}
              loading={test.isPending}
              onClick={() => test.mutate()}
            >
              Test
            </Button>
          )}
          {may && (
            <Button variant="default" leftSection={<Pencil size={15} />} onClick={() => setDialog('edit')}>
              Edit
            </Button>
          )}
          <RowMenu actions={actions} name={name} />
        </Group>
      </Group>
      {(test.data || test.error) && (
        <div className={classes.detail}>
          <TestResult report={test.data} error={test.error} />
        </div>
      )}
      {health?.detail && health.state !== 'healthy' && (
        <div className={classes.detail}>
          <Notice kind={health.state === 'down' ? 'error' : 'warning'}>{sentence(health.detail)}</Notice>
        </div>
      )}
      <Facts
        items={[
          !!health && ['Recent calls', scoreWords(health)],
          !!health && ['Circuit', circuitWords(health.circuit)],
          !!definition && [
            'Routing',
            <TextLink to="/routing">{partWords(rules!.document!, definition)}</TextLink>,
          ],
          !!definition?.base_url &&
            takesKey && [
              'Address',
              <span className={classes.address} title={definition.base_url}>
                {definition.base_url}
              </span>,
            ],
          takesKey &&
            can('GET /api/secrets') && [
              'Key',
              secret ? (
                <TextLink to={`/secrets?secret=${encodeURIComponent(keyPath(name))}`}>
                  {keyPath(name)}
                </TextLink>
              ) : (
                'None under Secrets'
              ),
            ],
        ]}
      />
      <Group gap={6} mt="md">
        {shown.map(model => (
          <Badge key={model} variant="light" color="gray" className={classes.model!}>
            {model}
          </Badge>
        ))}
        {models.length > shown.length && (
          <Button size="compact-xs" variant="subtle" onClick={() => setAll(true)}>
            {models.length - shown.length} more
          </Button>
        )}
        {models.length === 0 && (
          <Text size="sm" c="dimmed">
            It serves no models yet.
          </Text>
        )}
      </Group>
      {dialog === 'key' && (
        <SecretValueDialog path={keyPath(name)} {...(secret && { secret })} onClose={() => setDialog(null)} />
      )}
      {dialog === 'edit' && rules && (
        <ProviderDialog rules={rules} provider={name} onClose={() => setDialog(null)} />
      )}
    </Section>
  );
}
