import type { LucideIcon } from 'lucide-react';
import { expect, it } from 'vitest';
import { itemAt, visible } from './navigation';

const KeyRound = (() => null) as unknown as LucideIcon;

const NAVIGATION = [
  { items: [{ label: 'Overview', to: '/', icon: KeyRound }] },
  { label: 'Access', items: [{ label: 'Keys', to: '/keys', icon: KeyRound, needs: ['GET /api/keys'] }] },
];

it('shows what is allowed, and no empty group', () => {
  expect(visible(NAVIGATION, () => false).map(group => group.items.length)).toEqual([1]);
  expect(visible(NAVIGATION, operation => operation === 'GET /api/keys')).toHaveLength(2);
});

it('knows the page of a path', () => {
  expect(itemAt(NAVIGATION, '/keys/key_1')?.label).toBe('Keys');
  expect(itemAt(NAVIGATION, '/')?.label).toBe('Overview');
  expect(itemAt(NAVIGATION, '/keysmith')).toBeUndefined();
});
