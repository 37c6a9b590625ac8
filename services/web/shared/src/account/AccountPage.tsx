import { Button, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation } from '@tanstack/react-query';
import { api, path } from '../api/client';
import type { SignedInSession } from '../api/types';
import { Time } from '../display/Time';
import { Failure } from '../feedback/Failure';
import { queryClient } from '../query/client';
import { useResource } from '../query/resource';
import { NewPasswordForm } from '../session/NewPasswordForm';
import { begin, useSession } from '../session/session';
import { PageHeader } from '../shell/PageHeader';
import { Section } from '../shell/Section';
import { browserName } from './browser';
import classes from './AccountPage.module.css';

const SESSIONS = '/api/sessions';

/** Where one is signed in, and the password. */
export function Component() {
  const session = useSession();
  return (
    <>
      <PageHeader title="Sessions and password" description={`You are signed in as ${session.name}.`} />
      <Sessions />
      <Section title="Password" description="Changing it ends your other sessions.">
        <div className={classes.password}>
          <NewPasswordForm
            csrfToken={session.csrf_token}
            onSession={next => {
              begin(next);
              notifications.show({ message: 'The password is changed. Your other sessions have ended.' });
              void queryClient.invalidateQueries({ queryKey: [SESSIONS] });
            }}
          />
        </div>
      </Section>
    </>
  );
}

function Sessions() {
  const sessions = useResource<{ items: SignedInSession[] }>(SESSIONS);
  const end = useMutation({
    mutationFn: (id: string) => api.delete(path`/api/sessions/${id}`),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: [SESSIONS] }),
  });
  return (
    <Section title="Where you are signed in">
      {sessions.error && <Failure error={sessions.error} onRetry={() => void sessions.refetch()} />}
      <ul className={classes.sessions}>
        {sessions.data?.items.map(item => (
          <li key={item.session_id}>
            <div>
              <Text fw={500}>{browserName(item.origin?.client ?? '')}</Text>
              <Text c="dimmed" size="sm">
                {item.origin?.address} · last used <Time at={item.used_at} /> · signed in{' '}
                <Time at={item.created_at} />
                {item.method === 'oidc' && ' · single sign-on'}
              </Text>
            </div>
            <Button
              variant="default"
              size="xs"
              loading={end.isPending && end.variables === item.session_id}
              onClick={() => end.mutate(item.session_id)}
            >
              End session
            </Button>
          </li>
        ))}
      </ul>
    </Section>
  );
}
