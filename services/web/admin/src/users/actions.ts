import { api, confirm, path, showSecret, type User } from '@llm-platform/shared';
import { createElement } from 'react';
import { changed } from '../query/changed';

interface OneTimePassword {
  password: string;
  expires_at: string;
}

const url = (user: User) => path`/api/users/${user.user_id}`;

export function resetPassword(user: User): void {
  confirm({
    title: `Reset the password of ${user.name}?`,
    message: `You get a password for one sign-in, at which ${user.name} chooses a new one. All sessions end now.`,
    action: 'Reset password',
    onConfirm: async () => {
      const { password, expires_at } = await api.post<OneTimePassword>(`${url(user)}:reset-password`);
      await changed('/api/sessions');
      const until = new Date(expires_at).toLocaleString();
      // The question closes itself after this; the password comes in its place.
      setTimeout(() =>
        showSecret({
          title: `One-time password of ${user.name}`,
          secret: password,
          message: createElement('span', null, `It serves one sign-in, until ${until}.`),
        }),
      );
    },
  });
}

export function endSessions(user: User): void {
  confirm({
    title: `End all sessions of ${user.name}?`,
    message: 'Everywhere where they are signed in, they have to sign in again. Keys go on working.',
    action: 'End sessions',
    onConfirm: async () => {
      await api.delete(`${url(user)}/sessions`);
      await changed('/api/sessions');
    },
  });
}

export function disable(user: User): void {
  confirm({
    title: `Disable ${user.name}?`,
    message: 'All keys of the user are refused and all sessions end, until somebody enables it again.',
    action: 'Disable user',
    onConfirm: () => setDisabled(user, true),
  });
}

export async function setDisabled(user: User, disabled: boolean): Promise<void> {
  await api.patch(url(user), user.etag, { disabled });
  await changed('/api/users', '/api/sessions');
}

export function remove(user: User, after?: () => unknown): void {
  confirm({
    title: `Delete ${user.name}?`,
    message:
      'All keys of the user are revoked and all sessions end, for good. What it used stays in the reports.',
    action: 'Delete user',
    phrase: user.name,
    onConfirm: async () => {
      await api.delete(url(user));
      await after?.();
      await changed('/api/users', '/api/teams', '/api/keys');
    },
  });
}
