import { expect, it } from 'vitest';
import { localPath } from './local-path';

it.each([
  ['/keys?search=a', '/keys?search=a'],
  ['//evil.example', '/'],
  ['/\\evil.example', '/'],
  ['https://evil.example', '/'],
  ['javascript:alert(1)', '/'],
  ['/sign-in', '/'],
  [null, '/'],
])('goes from %s to %s', (asked, went) => expect(localPath(asked)).toBe(went));
