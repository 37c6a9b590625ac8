import { useResource, type Model } from '@llm-platform/shared';

const MINUTE = 60;

export function useModels() {
  return useResource<{ items: Model[] }>('/api/models', {}, { fresh: MINUTE });
}

/** A model for examples. */
export function useFirstModel(): string {
  return useModels().data?.items[0]?.id ?? 'gpt-4o-mini';
}
