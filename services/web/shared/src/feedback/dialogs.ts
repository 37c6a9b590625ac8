import type { ReactNode } from 'react';

/** What a dialog asks before something is destroyed or ended. */
export interface Question {
  title: string;
  /** Names what is destroyed, and what follows. */
  message: ReactNode;
  /** The word on the button: "Revoke key". */
  action: string;
  /** To be typed before it can be done, for what hurts others. */
  phrase?: string;
  /** Does it; the dialog stays open with what went wrong when it fails. */
  onConfirm: () => Promise<unknown>;
}

/** A secret that is shown once. */
export interface NewSecret {
  title: string;
  secret: string;
  message?: ReactNode;
}

type Dialog = { kind: 'confirm'; question: Question } | { kind: 'secret'; secret: NewSecret };

let shown: Dialog | null = null;
const listeners = new Set<() => void>();

function show(dialog: Dialog | null): void {
  shown = dialog;
  listeners.forEach(listener => listener());
}

export const confirm = (question: Question): void => show({ kind: 'confirm', question });
export const showSecret = (secret: NewSecret): void => show({ kind: 'secret', secret });

export const dialogs = {
  current: (): Dialog | null => shown,
  close: (): void => show(null),
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
