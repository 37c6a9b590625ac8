import { Button, TextInput } from '@mantine/core';
import { Empty, Failure, PageHeader, Section, useCan, useFilters, useResource } from '@llm-platform/shared';
import { Plus, Search, Vault } from 'lucide-react';
import { useState } from 'react';
import { singlePage } from '../query/singlePage';
import type { SecretInfo } from '../types';
import { SecretDrawer } from './SecretDrawer';
import { SecretsFolder } from './SecretsFolder';
import { SecretValueDialog } from './SecretValueDialog';

/** Of "llm/openai/api_key": "llm/openai". */
const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

export function Component() {
  const can = useCan();
  const [filters, setFilters] = useFilters({ search: '', secret: '' });
  const [creating, setCreating] = useState(false);
  const read = useResource<{ items: SecretInfo[] }>('/api/secrets');
  const wanted = filters.search.toLowerCase();
  const list = singlePage(read, secret =>
    `${secret.path} ${secret.description}`.toLowerCase().includes(wanted),
  );
  const folders = [...new Set(list.items.map(secret => folderOf(secret.path)))].sort();
  const shown = read.data?.items.find(secret => secret.path === filters.secret);
  const create = can('PUT /api/secrets/{path...}') && (
    <Button leftSection={<Plus size={16} />} onClick={() => setCreating(true)}>
      New secret
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Secrets"
        description="Keys of providers and other secrets of the platform. Their values are never shown."
        actions={create}
      />
      <TextInput
        type="search"
        aria-label="Path or description"
        placeholder="Path or description"
        leftSection={<Search size={15} />}
        maw={340}
        mb="md"
        value={filters.search}
        onChange={event => setFilters({ search: event.currentTarget.value })}
      />
      {list.error && !read.data ? (
        <Failure error={list.error} onRetry={list.retry} />
      ) : list.loading ? (
        <SecretsFolder folder="" list={list} onOpen={() => undefined} />
      ) : folders.length > 0 ? (
        folders.map(folder => (
          <Section key={folder} title={folder || 'Without a folder'} flush>
            <SecretsFolder
              folder={folder}
              list={{ ...list, items: list.items.filter(secret => folderOf(secret.path) === folder) }}
              onOpen={secret => setFilters({ secret: secret.path }, { push: true })}
            />
          </Section>
        ))
      ) : (
        <Section>
          {wanted ? (
            <Empty title="Nothing found">No path or description has "{filters.search}" in it.</Empty>
          ) : (
            <Empty icon={Vault} title="No secrets yet" action={create}>
              Begin with the key of a provider: llm/openai/api_key.
            </Empty>
          )}
        </Section>
      )}
      {shown && <SecretDrawer secret={shown} onClose={() => setFilters({ secret: '' })} />}
      {creating && <SecretValueDialog onClose={() => setCreating(false)} />}
    </>
  );
}
