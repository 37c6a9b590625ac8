import { createKey } from '../keys/keys';
import { limitsOf, NO_LIMITS } from '@llm-platform/shared';

export interface PlaygroundKey {
  secret: string;
  /** What may be shown of it. */
  shown: string;
}

const DAY_MS = 86_400_000;

/** In this page's memory only: it is gone when the page is loaded again. */
let kept: PlaygroundKey | null = null;
const listeners = new Set<() => void>();

export const playgroundKey = {
  current: (): PlaygroundKey | null => kept,
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  keep: (secret: string): void => set({ secret, shown: `${secret.slice(0, 9)}…` }),
  forget: (): void => set(null),
};

function set(key: PlaygroundKey | null): void {
  kept = key;
  listeners.forEach(listener => listener());
}

/** Makes a key that ends by itself after a day. */
export async function makeKey(now: Date): Promise<void> {
  const made = await createKey({
    name: `Playground ${now.toISOString().slice(0, 10)}`,
    team: '',
    expires_at: new Date(now.getTime() + DAY_MS).toISOString(),
    allowed_models: [],
    ip_ranges: [],
    limits: limitsOf(NO_LIMITS),
  });
  playgroundKey.keep(made.secret);
}
