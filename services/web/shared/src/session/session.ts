import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { createContext, useContext } from 'react';
import { api } from '../api/client';
import type { Info, Session } from '../api/types';
import { queryClient } from '../query/client';

const SESSION = ['/api/session'];

/** Who is signed in. Fails with 401 when nobody is. */
export function useSessionQuery(): UseQueryResult<Session> {
  return useQuery({
    queryKey: SESSION,
    queryFn: async () => keep(await api.json<Session>('GET', '/api/session', { anonymous: true })),
    staleTime: Infinity,
    gcTime: Infinity,
  });
}

/** The session that all further calls belong to. */
export function begin(session: Session): void {
  queryClient.setQueryData(SESSION, keep(session));
}

function keep(session: Session): Session {
  api.csrfToken = session.csrf_token;
  return session;
}

export function signIn(name: string, password: string): Promise<Session> {
  return api.post<Session>('/api/session', { name, password }, { anonymous: true });
}

export function changePassword(
  csrfToken: string,
  oldPassword: string,
  newPassword: string,
): Promise<Session> {
  return api.post<Session>(
    '/api/session/password',
    { old_password: oldPassword, new_password: newPassword },
    { anonymous: true, headers: { 'x-csrf-token': csrfToken } },
  );
}

/** Ends the session and leaves nothing of it in this page. */
export async function signOut(): Promise<void> {
  await api.json('DELETE', '/api/session', { anonymous: true });
  window.location.assign('/sign-in');
}

export function useInfo(): UseQueryResult<Info> {
  return useQuery({
    queryKey: ['/api/info'],
    queryFn: ({ signal }) => api.get<Info>('/api/info', {}, signal),
    staleTime: Infinity,
  });
}

export const SessionContext = createContext<Session | null>(null);

/** Who is signed in; only below the session's gate. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('Nobody is signed in here.');
  return session;
}

/** Whether this role may call an operation: `can("POST /api/keys")`. The backend decides; a page only hides. */
export function useCan(): (operation: string) => boolean {
  const { allowed } = useSession();
  return operation => allowed.includes(operation);
}
