import { Table, Text } from '@mantine/core';
import {
  Failure,
  PageHeader,
  path,
  Section,
  useCan,
  useList,
  useResource,
  useSession,
} from '@llm-platform/shared';
import { shortCount, type Limits, type Organization, type Team, type User } from '@llm-platform/shared';
import { Budgets } from './Budgets';

export function Component() {
  return (
    <>
      <PageHeader
        title="Limits and budgets"
        description="How much your requests may cost, and how fast they may come. The tightest one that applies decides."
      />
      <Section title="Budgets">
        <Budgets />
      </Section>
      <LimitsOfAll />
    </>
  );
}

/** Limits of the user, the teams and the organisation: those of keys stand with the keys. */
function LimitsOfAll() {
  const { user_id, organization_id } = useSession();
  const can = useCan();
  const user = useResource<User>(path`/api/users/${user_id}`, {}, { enabled: can('GET /api/users/{user}') });
  const teams = useList<Team>('/api/teams', { user: user_id }, { enabled: can('GET /api/teams') });
  const organization = useResource<Organization>(
    path`/api/organizations/${organization_id}`,
    {},
    { enabled: can('GET /api/organizations/{organization}') },
  );
  const unknown = [user, teams, organization].find(each => each.error)?.error;
  const rows = [
    { name: 'All your keys together', limits: user.data?.limits },
    ...teams.items.map(team => ({ name: `Team ${team.name}`, limits: team.limits })),
    {
      name: organization.data ? `Organisation ${organization.data.name}` : 'Organisation',
      limits: organization.data?.limits,
    },
  ];
  return (
    <Section title="Rate limits" description="A key can have tighter ones of its own." flush>
      {unknown ? <Failure error={unknown} /> : <LimitsTable rows={rows} />}
    </Section>
  );
}

interface LimitsRow {
  name: string;
  limits: Limits | undefined;
}

function LimitsTable({ rows }: { rows: readonly LimitsRow[] }) {
  return (
    <Table.ScrollContainer minWidth={520} type="native" tabIndex={0}>
      <Table aria-label="Rate limits" mt="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Applies to</Table.Th>
            <Table.Th ta="right">Requests a minute</Table.Th>
            <Table.Th ta="right">Tokens a minute</Table.Th>
            <Table.Th ta="right">At the same time</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(row => (
            <Table.Tr key={row.name}>
              <Table.Td>{row.name}</Table.Td>
              <LimitCell limits={row.limits} name="requests_per_minute" />
              <LimitCell limits={row.limits} name="tokens_per_minute" />
              <LimitCell limits={row.limits} name="concurrency" />
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function LimitCell({ limits, name }: { limits: Limits | undefined; name: keyof Limits }) {
  const value = String(limits?.[name] ?? '0');
  return (
    <Table.Td ta="right" className="numeric">
      {value === '0' ? (
        <Text span c="dimmed">
          no limit
        </Text>
      ) : (
        shortCount(value)
      )}
    </Table.Td>
  );
}
