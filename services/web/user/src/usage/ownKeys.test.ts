import type { Key } from '@llm-platform/shared';
import { expect, it } from 'vitest';
import { ownKeys } from './ownKeys';

const key = (key_id: string, name: string, changes: Partial<Key> = {}) =>
  ({ key_id, name, counted_as: key_id, prefix: `sk-${key_id}`, created_at: '2026-01-01', ...changes }) as Key;

it('offers every key by the id that its usage is counted as', () => {
  const { choices, names } = ownKeys([
    key('0198c0de', 'search'),
    key('0198beef', 'notebook'),
    key('0198cafe', 'search, new', { counted_as: '0198c0de', created_at: '2026-02-01' }),
  ]);
  expect(choices).toEqual([
    { value: '0198beef', label: 'notebook' },
    { value: '0198c0de', label: 'search, new' },
  ]);
  expect(names.get('0198c0de')).toBe('search, new');
});

it('tells keys of the same name apart', () => {
  const { choices } = ownKeys([key('a', 'job'), key('b', 'job')]);
  expect(choices.map(choice => choice.label)).toEqual(['job (sk-a…)', 'job (sk-b…)']);
});
