import { expect, test } from 'vitest';
import { nextDimension } from './dimensions';

test('a click leads to what is not filtered by yet', () => {
  expect(nextDimension('organization', () => false)).toBe('team');
  expect(nextDimension('organization', filtered => filtered === 'team')).toBe('user');
  expect(nextDimension('model', () => true)).toBe('day');
});
