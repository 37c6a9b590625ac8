import { useSyncExternalStore } from 'react';
import { ConfirmDialog } from './ConfirmDialog';
import { dialogs } from './dialogs';
import { SecretDialog } from './SecretDialog';

/** Where `confirm` and `showSecret` appear. */
export function ModalsHost() {
  const dialog = useSyncExternalStore(dialogs.subscribe, dialogs.current);
  if (dialog?.kind === 'confirm') return <ConfirmDialog question={dialog.question} onClose={dialogs.close} />;
  if (dialog?.kind === 'secret') return <SecretDialog {...dialog.secret} onClose={dialogs.close} />;
  return null;
}
