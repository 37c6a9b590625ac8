import { Badge, Button, Group, Text } from '@mantine/core';
import { Notice, Section, useCan } from '@llm-platform/shared';
import { KeyRound } from 'lucide-react';
import { useState } from 'react';
import { Facts } from '../display/Facts';
import { TextLink } from '../display/TextLink';
import { SecretValueDialog } from '../secrets/SecretValueDialog';
import type { ProviderHealth, SecretInfo } from '../types';
import { circuitWords, ProviderState, scoreWords, sentence } from './health';
import classes from './ProvidersPage.module.css';

interface ProviderCardProps {
  provider: ProviderHealth;
  /** Its key; undefined: there is none yet, or one may not see it. */
  secret: SecretInfo | undefined;
}

export const keyPath = (provider: string): string => `llm/${provider}/api_key`;

export function ProviderCard({ provider, secret }: ProviderCardProps) {
  const can = useCan();
  const [setting, setSetting] = useState(false);
  const [all, setAll] = useState(false);
  const path = keyPath(provider.name);
  const takesKey = provider.type !== 'echo';
  const shown = all ? provider.models : provider.models.slice(0, 8);
  return (
    <Section>
      <Group justify="space-between" align="flex-start" mb="md">
        <div>
          <Group gap="xs">
            <h2 className={classes.name}>{provider.name}</h2>
            <Badge variant="default">{provider.type}</Badge>
          </Group>
          <Text size="sm" component="div" mt={2}>
            <ProviderState of={provider} />
          </Text>
        </div>
        {takesKey && can('PUT /api/secrets/{path...}') && (
          <Button variant="default" leftSection={<KeyRound size={15} />} onClick={() => setSetting(true)}>
            {secret?.current_version ? 'Rotate key' : 'Set key'}
          </Button>
        )}
      </Group>
      {provider.detail && provider.state !== 'healthy' && (
        <div className={classes.detail}>
          <Notice kind={provider.state === 'down' ? 'error' : 'warning'}>{sentence(provider.detail)}</Notice>
        </div>
      )}
      <Facts
        items={[
          ['Recent calls', scoreWords(provider)],
          ['Circuit', circuitWords(provider.circuit)],
          takesKey &&
            can('GET /api/secrets') && [
              'Key',
              secret ? (
                <TextLink to={`/secrets?secret=${encodeURIComponent(path)}`}>{path}</TextLink>
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
        {provider.models.length > shown.length && (
          <Button size="compact-xs" variant="subtle" onClick={() => setAll(true)}>
            {provider.models.length - shown.length} more
          </Button>
        )}
      </Group>
      {setting && (
        <SecretValueDialog path={path} {...(secret && { secret })} onClose={() => setSetting(false)} />
      )}
    </Section>
  );
}
