import { Button } from '@mantine/core';
import {
  absolute,
  CopyText,
  PageHeader,
  path,
  Section,
  Time,
  useCan,
  useResource,
  type Key,
} from '@llm-platform/shared';
import { useState } from 'react';
import { useParams } from 'react-router';
import { useSeesOwnOnly } from '../access/useSeesOwnOnly';
import { BudgetsOf } from '../budgets/BudgetsOf';
import { Facts } from '../display/Facts';
import { LimitsText } from '../display/LimitsText';
import { BackTo, PageState } from '../display/PageState';
import { TextLink } from '../display/TextLink';
import { Name } from '../names/Name';
import { KeyDialog } from './KeyDialog';
import { KeyState } from './KeyState';
import { RotateDialog } from './RotateDialog';
import { useKeyActions } from './useKeyActions';

const listed = (items: readonly string[], none: string) => (items.length ? items.join(', ') : none);

export function Component() {
  const { key: id = '' } = useParams();
  const can = useCan();
  const ownOnly = useSeesOwnOnly();
  const [dialog, setDialog] = useState<'edit' | 'rotate' | null>(null);
  const read = useResource<Key>(path`/api/keys/${id}`);
  const actionsOf = useKeyActions({ onEdit: () => setDialog('edit'), onRotate: () => setDialog('rotate') });
  if (!read.data) return <PageState title="Key" error={read.error} onRetry={() => void read.refetch()} />;
  const key = read.data;
  const close = () => setDialog(null);
  return (
    <>
      <BackTo to="/keys">Keys</BackTo>
      <PageHeader
        title={key.name}
        actions={actionsOf(key).map(({ label, icon: Icon, onClick }) => (
          <Button key={label} variant="default" leftSection={Icon && <Icon size={15} />} onClick={onClick}>
            {label}
          </Button>
        ))}
      />
      <Section>
        <Facts
          items={[
            ['State', <KeyState of={key} />],
            ['Begins with', <span className="mono">{key.prefix}…</span>],
            ['User', <Name kind="user" id={key.user_id} link />],
            ['Team', <Name kind="team" id={key.team_id} link none="None" />],
            ['Organisation', <Name kind="organization" id={key.organization_id} link />],
            ['Limits', <LimitsText of={key.limits} />],
            ['Models', listed(key.allowed_models, 'All')],
            ['Entries', listed(key.allowed_entries, 'All')],
            ['Addresses', listed(key.ip_ranges, 'Any')],
            ['Good until', key.expires_at ? absolute(key.expires_at) : 'It is revoked'],
            ['Created', <Time at={key.created_at} />],
            key.revoked_at !== '' && ['Revoked', <Time at={key.revoked_at} />],
            key.replaced_by !== '' && ['Replaced by', <Name kind="key" id={key.replaced_by} link />],
            key.counted_as !== key.key_id && ['Counted as', <Name kind="key" id={key.counted_as} link />],
            ['Id', <CopyText value={key.key_id} />],
            ['Costs', <TextLink to={`/usage?key=${key.counted_as}&by=model`}>What it used</TextLink>],
          ]}
        />
      </Section>
      {can('GET /api/budgets') && !ownOnly && <BudgetsOf scope="key" id={key.counted_as} />}
      {dialog === 'edit' && <KeyDialog apiKey={key} onClose={close} />}
      {dialog === 'rotate' && <RotateDialog apiKey={key} onClose={close} />}
    </>
  );
}
