import { Drawer, Stack, Text, Title } from '@mantine/core';
import { absolute, CopyText } from '@llm-platform/shared';
import { Facts } from '../display/Facts';
import { Name } from '../names/Name';
import type { AuditEntry } from '../types';
import { ResultStatus } from './ResultStatus';
import { Target } from './Target';
import { actionWords } from './words';
import classes from './AuditPage.module.css';

function readable(details: string): string {
  try {
    const value = JSON.parse(details) as object;
    return Object.keys(value).length ? JSON.stringify(value, null, 2) : '';
  } catch {
    return details;
  }
}

/** All that the log has of one entry. */
export function EntryDrawer({ entry, onClose }: { entry: AuditEntry; onClose: () => void }) {
  const details = readable(entry.details);
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="lg"
      title={<Text fw={600}>Entry {entry.number}</Text>}
    >
      <Stack gap="xl">
        <Text size="lg">
          <strong>{entry.actor_name || entry.actor_id || 'Nobody known'}</strong> {actionWords(entry.action)}
          {entry.target && ': '}
          <Target action={entry.action} target={entry.target} />
        </Text>
        <Facts
          items={[
            ['Result', <ResultStatus of={entry} />],
            entry.reason !== '' && ['Reason', entry.reason],
            ['When', absolute(entry.at)],
            ['Action', <span className="mono">{entry.action}</span>],
            entry.target !== '' && ['Target', <CopyText value={entry.target} />],
            ['Actor', entry.actor_id && <CopyText value={entry.actor_id} />],
            ['As', [entry.actor_kind, entry.actor_role].filter(Boolean).join(', ') || '–'],
            ['Organisation', <Name kind="organization" id={entry.organization_id} none="The platform" />],
            ['From', entry.source || '–'],
            ['Written by', entry.service],
            entry.request_id !== '' && ['Request', <CopyText value={entry.request_id} />],
            entry.repeated !== '1' && ['Stands for', `${entry.repeated} like it`],
          ]}
        />
        {details && (
          <section>
            <Title order={3} mb="xs">
              Details
            </Title>
            <pre className={classes.details} tabIndex={0}>
              {details}
            </pre>
          </section>
        )}
        <section>
          <Title order={3} mb="xs">
            Chain
          </Title>
          <Facts
            items={[
              ['Hash', <CopyText value={entry.hash} shown={`${entry.hash.slice(0, 16)}…`} />],
              [
                'Of the entry before',
                <CopyText value={entry.previous} shown={`${entry.previous.slice(0, 16)}…`} />,
              ],
            ]}
          />
        </section>
      </Stack>
    </Drawer>
  );
}
