import { Button, Group, PasswordInput, Text } from '@mantine/core';
import { Section, useCan } from '@llm-platform/shared';
import { useMutation } from '@tanstack/react-query';
import { KeyRound, X } from 'lucide-react';
import { useState, useSyncExternalStore } from 'react';
import { makeKey, playgroundKey } from './key';
import classes from './Playground.module.css';

export const usePlaygroundKey = () => useSyncExternalStore(playgroundKey.subscribe, playgroundKey.current);

/** The key in use, and the way to forget it. */
export function KeyInUse() {
  const key = usePlaygroundKey();
  if (!key) return null;
  return (
    <Button
      variant="default"
      leftSection={<KeyRound size={15} />}
      rightSection={<X size={14} />}
      onClick={playgroundKey.forget}
      aria-label={`Forget the key ${key.shown}`}
    >
      <span className="mono">{key.shown}</span>
    </Button>
  );
}

/** Before the first message: requests are made with a key, as those of programs are. */
export function ChooseKey() {
  const can = useCan();
  const [pasted, setPasted] = useState('');
  const make = useMutation({ mutationFn: () => makeKey(new Date()) });
  return (
    <Section>
      <form
        className={classes.chooseKey}
        onSubmit={event => {
          event.preventDefault();
          if (pasted.trim()) playgroundKey.keep(pasted.trim());
        }}
      >
        <div>
          <Text fw={600}>Which key shall pay?</Text>
          <Text c="dimmed">
            Requests count against its budget and limits. It stays in this page's memory only.
          </Text>
        </div>
        <Group gap="sm" wrap="wrap">
          {can('POST /api/keys') && (
            <Button
              loading={make.isPending}
              onClick={() => make.mutate()}
              leftSection={<KeyRound size={16} />}
            >
              Make a key for a day
            </Button>
          )}
          <PasswordInput
            className={classes.paste!}
            aria-label="A key of yours"
            placeholder="or paste one"
            autoComplete="off"
            value={pasted}
            onChange={event => setPasted(event.currentTarget.value)}
          />
          <Button type="submit" variant="default" disabled={!pasted.trim()}>
            Use it
          </Button>
        </Group>
      </form>
    </Section>
  );
}
