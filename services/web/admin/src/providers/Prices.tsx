import { useQueries } from '@tanstack/react-query';
import {
  api,
  DataTable,
  Empty,
  Notice,
  perMillion,
  Problem,
  Section,
  type List,
  type ModelPrice,
  type PriceTier,
} from '@llm-platform/shared';
import { Coins } from 'lucide-react';
import type { ProviderHealth } from '../types';
import classes from './ProvidersPage.module.css';

interface Priced {
  provider: string;
  model: string;
  price: ModelPrice | undefined;
  tier: PriceTier | undefined;
  error: unknown;
}

/** As many prices as are asked for at once. */
const SHOWN = 60;

/** What a million tokens of each model cost. */
export function Prices({ providers }: { providers: ProviderHealth[] }) {
  const wanted = providers
    .flatMap(provider => provider.models.map(model => ({ provider: provider.name, model })))
    .slice(0, SHOWN);
  const read = useQueries({
    queries: wanted.map(query => ({
      queryKey: ['/api/prices', query],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        api.get<{ items: ModelPrice[] }>('/api/prices', query, signal),
      staleTime: 300_000,
      retry: false,
    })),
  });
  const items = wanted.map((which, at): Priced => {
    const price = read[at]?.data?.items[0];
    return { ...which, price, tier: price?.tiers[0], error: read[at]?.error };
  });
  const unpriced = items.filter(isUnpriced);
  const list: List<Priced> = {
    items,
    loading: read.every(each => each.isPending),
    refreshing: false,
    error: null,
    more: false,
    loadingMore: false,
    loadMore: () => undefined,
    retry: () => undefined,
  };
  const cost = (pick: (tier: PriceTier) => string) => (row: Priced) =>
    row.tier ? <span className="numeric">{perMillion(pick(row.tier))}</span> : '–';
  return (
    <Section
      title="Models and prices"
      description="US dollars for a million tokens, as calls are charged now."
      flush
    >
      {unpriced.length > 0 && (
        <div className={classes.unpriced}>
          <Notice kind="warning" title={`Without a price: ${unpriced.map(nameOf).join(', ')}`}>
            Their calls are refused. State what they cost under <span className="mono">billing.prices</span>{' '}
            in the configuration.
          </Notice>
        </div>
      )}
      <DataTable
        label="Models and prices"
        list={list}
        rowKey={nameOf}
        columns={[
          { key: 'model', title: 'Model', cell: row => row.model },
          { key: 'provider', title: 'Provider', cell: row => row.provider, wide: true },
          { key: 'input', title: 'Input', cell: cost(tier => tier.input), numeric: true },
          {
            key: 'cached',
            title: 'Cached input',
            cell: cost(tier => tier.cached_input),
            numeric: true,
            wide: true,
          },
          { key: 'output', title: 'Output', cell: cost(tier => tier.output), numeric: true },
          { key: 'note', title: 'Note', cell: row => <Note of={row} />, wide: true },
        ]}
        empty={<Empty icon={Coins} title="No models" />}
      />
    </Section>
  );
}

const nameOf = ({ provider, model }: Priced) => `${provider}/${model}`;
const isUnpriced = (row: Priced) => row.error instanceof Problem && row.error.status === 404;

function Note({ of: row }: { of: Priced }) {
  if (row.price && row.price.tiers.length > 1)
    return <>Dearer from {row.price.tiers[1]!.above} input tokens on</>;
  if (row.price?.model === '*') return <>Price of all other models of the provider</>;
  if (!row.price && isUnpriced(row)) return <>Not priced: calls are refused</>;
  return null;
}
