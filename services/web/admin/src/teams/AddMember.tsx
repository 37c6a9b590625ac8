import { Button, Group } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { api, path, type Team } from '@llm-platform/shared';
import { useState } from 'react';
import { changed } from '../query/changed';
import { SubjectSelect } from '../names/SubjectSelect';

/** Chooses a user of the team's organisation and adds it. */
export function AddMember({ team }: { team: Team }) {
  const [user, setUser] = useState('');
  const add = useMutation({
    mutationFn: () => api.put(path`/api/teams/${team.team_id}/members/${user}`, {}),
    onSuccess: async () => {
      setUser('');
      await changed('/api/teams', '/api/users');
    },
  });
  return (
    <Group gap="xs">
      <SubjectSelect
        kind="user"
        aria-label="User to add"
        placeholder="Add somebody …"
        within={{ organization: team.organization_id }}
        value={user}
        onChange={setUser}
      />
      <Button variant="default" disabled={!user} loading={add.isPending} onClick={() => add.mutate()}>
        Add
      </Button>
    </Group>
  );
}
