import {
  api,
  confirm,
  CopyText,
  PageHeader,
  path,
  Section,
  Time,
  useCan,
  useResource,
  type Team,
  type User,
} from '@llm-platform/shared';
import { UserMinus } from 'lucide-react';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { EditDelete } from '../display/EditDelete';
import { Facts } from '../display/Facts';
import { LimitsText } from '../display/LimitsText';
import { BackTo, PageState } from '../display/PageState';
import { TextLink } from '../display/TextLink';
import { changed } from '../query/changed';
import { KeysTable } from '../keys/KeysTable';
import { Name } from '../names/Name';
import { UsersTable } from '../users/UsersTable';
import { AddMember } from './AddMember';
import { TeamDialog } from './TeamDialog';

export function Component() {
  const { team: id = '' } = useParams();
  const can = useCan();
  const navigate = useNavigate();
  const [editing, setEditing] = useState(false);
  const url = path`/api/teams/${id}`;
  const read = useResource<Team>(url);
  if (!read.data) return <PageState title="Team" error={read.error} onRetry={() => void read.refetch()} />;
  const team = read.data;
  const remove = () =>
    confirm({
      title: `Delete the team ${team.name}?`,
      message: 'Its keys are revoked at once; its members stay. What it used stays in the reports.',
      action: 'Delete team',
      phrase: team.name,
      onConfirm: async () => {
        await api.delete(url);
        await navigate('/teams');
        await changed('/api/teams', '/api/keys');
      },
    });
  const removeMember = (user: User) => ({
    label: 'Remove from the team…',
    icon: UserMinus,
    dangerous: true,
    onClick: () =>
      confirm({
        title: `Remove ${user.name} from ${team.name}?`,
        message: `The keys that ${user.name} has in this team are revoked at once.`,
        action: 'Remove from team',
        onConfirm: async () => {
          await api.delete(path`/api/teams/${team.team_id}/members/${user.user_id}`);
          await changed('/api/teams', '/api/users', '/api/keys');
        },
      }),
  });
  const within = { team: team.team_id };
  return (
    <>
      <BackTo to="/teams">Teams</BackTo>
      <PageHeader
        title={team.name}
        actions={
          <EditDelete
            onEdit={can('PATCH /api/teams/{team}') ? () => setEditing(true) : undefined}
            onDelete={can('DELETE /api/teams/{team}') ? remove : undefined}
          />
        }
      />
      <Section>
        <Facts
          items={[
            ['Organisation', <Name kind="organization" id={team.organization_id} link />],
            ['Limits of all its keys together', <LimitsText of={team.limits} />],
            ['Id', <CopyText value={team.team_id} />],
            ['Created', <Time at={team.created_at} />],
            ['Costs', <TextLink to={`/usage?team=${team.team_id}&by=user`}>What it used</TextLink>],
          ]}
        />
      </Section>
      {can('GET /api/users') && (
        <Section
          title="Members"
          flush
          actions={can('PUT /api/teams/{team}/members/{user}') && <AddMember team={team} />}
        >
          <UsersTable
            within={within}
            searchName="members"
            moreActions={user => (can('DELETE /api/teams/{team}/members/{user}') ? [removeMember(user)] : [])}
          />
        </Section>
      )}
      <Section title="Keys" flush>
        <KeysTable within={within} searchName="keys" />
      </Section>
      {editing && <TeamDialog team={team} onClose={() => setEditing(false)} />}
    </>
  );
}
