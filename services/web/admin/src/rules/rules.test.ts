import { Problem } from '../../../shared/src/api/problem';
import { beforeEach, expect, it, vi } from 'vitest';
import type { RoutingDocument } from '../types';
import { changeRules } from './rules';

const { api } = vi.hoisted(() => ({ api: { get: vi.fn(), json: vi.fn() } }));

vi.mock('@llm-platform/shared', async () => ({
  api,
  Problem: (await import('../../../shared/src/api/problem')).Problem,
  path: String.raw,
  queryClient: { invalidateQueries: async () => undefined },
}));

const rules = (etag: string, ...names: string[]) => ({
  etag,
  document: { strategy: '', providers: names.map(name => ({ name, type: 'echo', models: [] })) },
});
const gone = (name: string) => (document: RoutingDocument) => ({
  ...document,
  providers: document.providers.filter(each => each.name !== name),
});

beforeEach(() => {
  api.get.mockReset();
  api.json.mockReset();
});

it('changes what the rules are now, when somebody else was faster', async () => {
  api.get.mockResolvedValueOnce(rules('1', 'a', 'b')).mockResolvedValueOnce(rules('2', 'a', 'b', 'c'));
  api.json.mockRejectedValueOnce(new Problem(412, {})).mockResolvedValueOnce({});
  await changeRules(gone('a'), 'Removed a');
  const [method, url, sent] = api.json.mock.calls[1]!;
  expect([method, url]).toEqual(['PUT', '/api/routing']);
  expect(sent).toEqual({ etag: '2', body: { document: rules('2', 'b', 'c').document, note: 'Removed a' } });
});

it('gives up when it is refused, or beaten again and again', async () => {
  api.get.mockResolvedValue(rules('1', 'a'));
  api.json.mockRejectedValue(new Problem(400, { detail: 'providers: needs at least one' }));
  await expect(changeRules(gone('a'), '')).rejects.toThrow('at least one');
  expect(api.json).toHaveBeenCalledTimes(1);
  api.json.mockRejectedValue(new Problem(412, {}));
  await expect(changeRules(gone('a'), '')).rejects.toMatchObject({ stale: true });
  expect(api.json).toHaveBeenCalledTimes(4);
});
