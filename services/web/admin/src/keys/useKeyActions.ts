import { api, confirm, path, useCan, type Key, type RowAction } from '@llm-platform/shared';
import { Ban, Pencil, RefreshCw } from 'lucide-react';
import { changed } from '../query/changed';

interface Handlers {
  onEdit: (key: Key) => void;
  onRotate: (key: Key) => void;
}

/** What who is signed in may do with a key. */
export function useKeyActions({ onEdit, onRotate }: Handlers): (key: Key) => RowAction[] {
  const can = useCan();
  return key => {
    if (key.revoked_at) return [];
    const actions: (RowAction | false)[] = [
      can('PATCH /api/keys/{key}') && { label: 'Edit', icon: Pencil, onClick: () => onEdit(key) },
      can('POST /api/keys/{key}:rotate') &&
        !key.replaced_by && { label: 'Rotate…', icon: RefreshCw, onClick: () => onRotate(key) },
      can('DELETE /api/keys/{key}') && {
        label: 'Revoke…',
        icon: Ban,
        dangerous: true,
        onClick: () => revoke(key),
      },
    ];
    return actions.filter(action => action !== false);
  };
}

function revoke(key: Key): void {
  confirm({
    title: `Revoke the key "${key.name}"?`,
    message: 'Applications that use it are refused within seconds. A revoked key cannot be brought back.',
    action: 'Revoke key',
    onConfirm: async () => {
      await api.delete(path`/api/keys/${key.key_id}`);
      await changed('/api/keys');
    },
  });
}
