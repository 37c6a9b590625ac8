import { useCan, useSession, type RowAction, type User } from '@llm-platform/shared';
import { Ban, CircleCheck, KeyRound, LogOut, Pencil, Trash2 } from 'lucide-react';
import { disable, endSessions, remove, resetPassword, setDisabled } from './actions';

interface Handlers {
  onEdit: (user: User) => void;
  /** Where to go when it is deleted. */
  onDeleted?: () => unknown;
}

/** What who is signed in may do with a user. */
export function useUserActions({ onEdit, onDeleted }: Handlers): (user: User) => RowAction[] {
  const can = useCan();
  const { user_id } = useSession();
  return user => {
    const self = user.user_id === user_id;
    const person = user.kind !== 'service_account';
    const actions: (RowAction | false)[] = [
      can('PATCH /api/users/{user}') && { label: 'Edit', icon: Pencil, onClick: () => onEdit(user) },
      can('POST /api/users/{user}:reset-password') &&
        person &&
        !self && { label: 'Reset password…', icon: KeyRound, onClick: () => resetPassword(user) },
      can('DELETE /api/users/{user}/sessions') &&
        person &&
        !self && { label: 'End sessions…', icon: LogOut, onClick: () => endSessions(user) },
      can('PATCH /api/users/{user}') &&
        !self &&
        (user.disabled_at
          ? { label: 'Enable', icon: CircleCheck, onClick: () => void setDisabled(user, false) }
          : { label: 'Disable…', icon: Ban, dangerous: true, onClick: () => disable(user) }),
      can('DELETE /api/users/{user}') &&
        !self && { label: 'Delete…', icon: Trash2, dangerous: true, onClick: () => remove(user, onDeleted) },
    ];
    return actions.filter(action => action !== false);
  };
}
