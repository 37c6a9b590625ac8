import { Button, Group } from '@mantine/core';
import { useState } from 'react';
import { describe } from '../api/problem';
import { Notice } from '../feedback/Notice';

interface StaleNoticeProps {
  /** Reads what somebody else has saved; `keep`: what was typed stays. */
  reload: (keep: boolean) => Promise<void>;
  onDone: () => void;
}

/** In a form that was refused since somebody else was faster. */
export function StaleNotice({ reload, onDone }: StaleNoticeProps) {
  const [failure, setFailure] = useState<unknown>(null);
  const load = (keep: boolean) => reload(keep).then(onDone, setFailure);
  return (
    <Notice kind="warning" title="Somebody else has changed this">
      What you have entered is still here. Load their version, or keep yours and save it over theirs.
      {failure ? <div>{describe(failure)}</div> : null}
      <Group gap="xs" mt="xs">
        <Button size="xs" variant="default" onClick={() => void load(false)}>
          Load theirs
        </Button>
        <Button size="xs" variant="default" onClick={() => void load(true)}>
          Keep mine
        </Button>
      </Group>
    </Notice>
  );
}
