import type { Key } from '@llm-platform/shared';

export interface OwnKeys {
  /** By the id that usage knows a key by: a rotated key goes on under that of the one it replaced. */
  names: ReadonlyMap<string, string>;
  choices: { value: string; label: string }[];
}

/** One's keys as reports of usage know them; those of the same name are told apart by their beginning. */
export function ownKeys(keys: readonly Key[]): OwnKeys {
  const current = new Map<string, Key>();
  for (const key of keys) {
    const other = current.get(key.counted_as);
    if (!other || other.created_at < key.created_at) current.set(key.counted_as, key);
  }
  const all = [...current.values()];
  const isOnly = ({ name }: Key) => all.filter(other => other.name === name).length === 1;
  const label = (key: Key) => (isOnly(key) ? key.name : `${key.name} (${key.prefix}…)`);
  const names = new Map([...current].map(([id, key]) => [id, label(key)]));
  const choices = [...names].map(([value, label]) => ({ value, label }));
  return { names, choices: choices.sort((a, b) => a.label.localeCompare(b.label)) };
}
