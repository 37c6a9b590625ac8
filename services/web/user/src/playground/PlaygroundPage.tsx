import { ActionIcon, Button, Group, Select, Tooltip } from '@mantine/core';
import { Failure, PageHeader } from '@llm-platform/shared';
import { Code, Columns2, Eraser, X } from 'lucide-react';
import { useState } from 'react';
import { useFirstModel, useModels } from '../models/useModels';
import { AnswerView } from './AnswerView';
import { requestOf, settingsProblems, type Settings, type Turn } from './chat';
import { CodeDialog } from './CodeDialog';
import { Composer } from './Composer';
import { ChooseKey, KeyInUse, usePlaygroundKey } from './KeyBar';
import { SettingsPanel } from './SettingsPanel';
import { useConversation } from './useConversation';
import classes from './Playground.module.css';

const NO_SETTINGS: Settings = { system: '', temperature: '', maxTokens: '', tools: '' };
const EXAMPLE: Turn = { id: 0, text: 'Say hello.', images: [], answers: [] };

export function Component() {
  const models = useModels();
  const first = useFirstModel();
  const key = usePlaygroundKey();
  const [chosen, setChosen] = useState<(string | null)[]>([null]);
  const [settings, setSettings] = useState(NO_SETTINGS);
  const [showsCode, setShowsCode] = useState(false);
  const { turns, running, send, stop, clear } = useConversation();

  const names = models.data?.items.map(model => model.id) ?? [];
  const columns = chosen.map(model => model ?? first);
  const invalid = Object.keys(settingsProblems(settings)).length > 0;
  const compare = () => setChosen([...chosen, names.find(name => !columns.includes(name)) ?? null]);

  return (
    <>
      <PageHeader
        title="Playground"
        description="Try models, and compare two of them on the same question."
        actions={
          <>
            <KeyInUse />
            <Button
              variant="default"
              leftSection={<Code size={16} />}
              disabled={invalid}
              onClick={() => setShowsCode(true)}
            >
              Code
            </Button>
          </>
        }
      />
      {models.error && !models.data && <Failure error={models.error} onRetry={() => void models.refetch()} />}
      {!key && <ChooseKey />}
      <div className={classes.layout}>
        <div className={classes.conversation}>
          <div className={classes.columns} data-columns={columns.length}>
            {columns.map((model, at) => (
              <Group key={at} gap="xs" wrap="nowrap" className={classes.model!}>
                <Select
                  aria-label={at === 0 ? 'Model' : 'Second model'}
                  data={names.includes(model) ? names : [model, ...names]}
                  value={model}
                  searchable
                  allowDeselect={false}
                  flex={1}
                  disabled={running}
                  onChange={value => setChosen(chosen.map((one, index) => (index === at ? value : one)))}
                />
                {columns.length === 1 ? (
                  <Button
                    variant="default"
                    leftSection={<Columns2 size={16} />}
                    disabled={running || turns.length > 0}
                    onClick={compare}
                  >
                    Compare
                  </Button>
                ) : (
                  at === 1 && (
                    <Tooltip label="One model again">
                      <ActionIcon
                        aria-label="Remove the second model"
                        disabled={running}
                        onClick={() => setChosen([chosen[0]!])}
                      >
                        <X size={16} />
                      </ActionIcon>
                    </Tooltip>
                  )
                )}
              </Group>
            ))}
          </div>
          <div className={classes.turns} aria-live="polite">
            {turns.length === 0 && <p className={classes.hint}>Answers appear here.</p>}
            {turns.map(turn => (
              <div key={turn.id}>
                <div className={classes.message}>
                  {turn.images.map((image, at) => (
                    <img key={at} src={image.url} alt={image.name} />
                  ))}
                  {turn.text}
                </div>
                <div className={classes.columns} data-columns={columns.length}>
                  {columns.map((model, at) => {
                    const answer = turn.answers[at];
                    return answer && <AnswerView key={`${model}${at}`} answer={answer} />;
                  })}
                </div>
              </div>
            ))}
          </div>
          {turns.length > 0 && (
            <Button
              className={classes.clear!}
              variant="subtle"
              color="gray"
              size="xs"
              leftSection={<Eraser size={14} />}
              onClick={clear}
            >
              Clear the conversation
            </Button>
          )}
          <Composer
            running={running}
            disabled={!key || invalid}
            onStop={stop}
            onSend={(text, images) => send(text, images, columns, settings, key!.secret)}
          />
        </div>
        <SettingsPanel settings={settings} onChange={setSettings} />
      </div>
      {showsCode && (
        <CodeDialog
          request={requestOf(columns[0]!, settings, turns.length ? turns : [EXAMPLE], 0)}
          onClose={() => setShowsCode(false)}
        />
      )}
    </>
  );
}
