import { Count, DataTable, Empty, Time, useCan, useList, useSearch, type Team } from '@llm-platform/shared';
import { Pencil, UsersRound } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import { LimitsText } from '../display/LimitsText';
import { Name } from '../names/Name';
import { TeamDialog } from './TeamDialog';

interface TeamsTableProps {
  /** Conditions of the list, as the API names them. */
  within?: Record<string, string>;
  searchName?: string;
  filters?: ReactNode;
  /** Of the page, when there are no teams. */
  create?: ReactNode;
  showOrganization?: boolean;
}

export function TeamsTable({ within = {}, searchName, filters, create, showOrganization }: TeamsTableProps) {
  const search = useSearch(searchName);
  const can = useCan();
  const [edited, setEdited] = useState<Team | null>(null);
  const list = useList<Team>('/api/teams', { ...within, search: search.asked });
  return (
    <>
      <DataTable<Team>
        label="Teams"
        list={list}
        search={{ ...search, placeholder: 'Team name' }}
        filters={filters}
        rowKey={row => row.team_id}
        rowName={row => row.name}
        columns={[
          { key: 'name', title: 'Name', cell: row => <Name kind="team" id={row.team_id} link /> },
          ...(showOrganization
            ? [
                {
                  key: 'organization',
                  title: 'Organisation',
                  cell: (row: Team) => <Name kind="organization" id={row.organization_id} link />,
                  wide: true,
                },
              ]
            : []),
          { key: 'members', title: 'Members', cell: row => <Count of={row.members} />, numeric: true },
          { key: 'limits', title: 'Limits', cell: row => <LimitsText of={row.limits} />, wide: true },
          { key: 'created', title: 'Created', cell: row => <Time at={row.created_at} />, wide: true },
        ]}
        {...(can('PATCH /api/teams/{team}') && {
          actions: row => [{ label: 'Edit', icon: Pencil, onClick: () => setEdited(row) }],
        })}
        empty={
          <Empty icon={UsersRound} title="No teams yet" action={create}>
            A team has members, keys of its own, and one account of what they cost.
          </Empty>
        }
      />
      {edited && <TeamDialog team={edited} onClose={() => setEdited(null)} />}
    </>
  );
}
