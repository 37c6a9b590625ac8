import {
  DataTable,
  Empty,
  Section,
  Time,
  useResource,
  type SignedInSession,
  type User,
} from '@llm-platform/shared';
import { MonitorSmartphone } from 'lucide-react';
import { singlePage } from '../query/singlePage';

/** Where a user is signed in. */
export function UserSessions({ user }: { user: User }) {
  const sessions = useResource<{ items: SignedInSession[] }>('/api/sessions', { user: user.user_id });
  return (
    <Section title="Sessions" flush>
      <DataTable
        label="Sessions"
        list={singlePage(sessions)}
        rowKey={row => row.session_id}
        columns={[
          { key: 'address', title: 'From', cell: row => row.origin?.address ?? '' },
          { key: 'client', title: 'Client', cell: row => row.origin?.client ?? '', wide: true },
          { key: 'used', title: 'Last used', cell: row => <Time at={row.used_at} /> },
          { key: 'created', title: 'Signed in', cell: row => <Time at={row.created_at} />, wide: true },
        ]}
        empty={<Empty icon={MonitorSmartphone} title="Not signed in anywhere" />}
      />
    </Section>
  );
}
