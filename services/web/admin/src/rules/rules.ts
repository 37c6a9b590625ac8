import { api, path, Problem, useCan, useResource } from '@llm-platform/shared';
import { changed } from '../query/changed';
import type { ProviderDefinition, RoutingDocument, RoutingRevision, TestReport } from '../types';

const RULES = '/api/routing';

/** The rules in force, read more often while replicas still serve others. */
export function useRules() {
  const can = useCan();
  const options = { enabled: can('GET /api/routing') };
  const read = useResource<RoutingRevision>(RULES, {}, { ...options, live: 15 });
  const behind = read.data?.replicas.some(replica => replica.number !== read.data.number) ?? false;
  useResource<RoutingRevision>(RULES, {}, { enabled: options.enabled && behind, live: 2 });
  return { ...read, behind };
}

export const readRules = (): Promise<RoutingRevision> => api.get<RoutingRevision>(RULES);

const ruled = () => changed(RULES, '/api/providers', '/api/models');

/** A new revision; refused with 412 when `etag` is no longer that of the rules in force. */
export async function putRules(etag: string, document: RoutingDocument, note: string): Promise<void> {
  await api.json('PUT', RULES, { body: { document, note }, etag });
  await ruled();
}

/** One change to whatever the rules are now. It is about one thing: what others changed meanwhile stays. */
export async function changeRules(
  change: (document: RoutingDocument) => RoutingDocument,
  note: string,
): Promise<void> {
  for (let more = 2; ; more--) {
    const { etag, document } = await readRules();
    try {
      return await putRules(etag, change(document!), note);
    } catch (error) {
      if (!(error instanceof Problem && error.stale && more > 0)) throw error;
    }
  }
}

export async function restore(number: number, etag: string, note: string): Promise<void> {
  await api.post(path`/api/routing/revisions/${String(number)}:restore`, { note }, { etag });
  await ruled();
}

/** Takes what the configuration file says now. */
export async function importRules(etag: string, note: string): Promise<void> {
  await api.post('/api/routing:import', { note }, { etag });
  await ruled();
}

/** Asks a provider for its models, with the key that is kept for it. Unset: as it is served. */
export const testProvider = (name: string, definition?: ProviderDefinition): Promise<TestReport> =>
  api.post<TestReport>(path`/api/providers/${name}:test`, definition ? { definition } : {});
