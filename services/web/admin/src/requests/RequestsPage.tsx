import { Button, Group, TextInput } from '@mantine/core';
import { PageHeader, useCan, useFilters } from '@llm-platform/shared';
import { Search } from 'lucide-react';
import { useState } from 'react';
import { Attempts } from './Attempts';
import { RequestDetails } from './RequestDetails';
import classes from './Requests.module.css';

export function Component() {
  const can = useCan();
  const [{ request }, setFilters] = useFilters({ request: '' });
  return (
    <>
      <PageHeader
        title="Requests"
        description="What became of a call: where it went, how long it took, what it used and cost. Texts are not kept."
      />
      <Find
        key={request}
        request={request}
        onFind={found => setFilters({ request: found }, { push: true })}
      />
      {request ? <RequestDetails id={request} /> : can('GET /api/attempts') && <Attempts />}
    </>
  );
}

function Find({ request, onFind }: { request: string; onFind: (request: string) => void }) {
  const [typed, setTyped] = useState(request);
  return (
    <form
      className={classes.find}
      onSubmit={event => {
        event.preventDefault();
        onFind(typed.trim());
      }}
    >
      <Group gap="xs" align="flex-end">
        <TextInput
          type="search"
          label="Request id"
          description="Of an answer’s header x-request-id, or a provider’s own"
          placeholder="req_…"
          leftSection={<Search size={15} />}
          className={classes.id!}
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={event => setTyped(event.currentTarget.value)}
        />
        <Button type="submit" disabled={!typed.trim()}>
          Find
        </Button>
        {request && (
          <Button variant="default" onClick={() => onFind('')}>
            All calls
          </Button>
        )}
      </Group>
    </form>
  );
}
